"""What the documentation leaves out of a machine that only asks is not needed there."""

import json
import os
import re
import tomllib
from pathlib import Path

import pytest

from embed import demo

ROOT = Path(__file__).resolve().parents[2]
BLOCK = """\
import os, sys

class Absent:
    names = set(os.environ["ABSENT"].split(","))

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""


def names(requirements):
    return {re.match(r"[a-z0-9-]+", text.strip('"'))[0] for text in requirements}


@pytest.fixture
def left_out():
    """Return the distributions that the documented command does not install."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "docs" / "how-to" / "search.md").read_text()
    (listed,) = re.findall(r"^\$ pip install (?!--no-deps)(.+)$", text, re.MULTILINE)
    listed = names(listed.split())
    assert listed < names(project["dependencies"])
    return sorted(names(project["dependencies"]) - listed)


@pytest.fixture
def small(tmp_path, run_embed, left_out):
    """Run a command where nothing can be imported of what is left out."""
    (tmp_path / "absent").mkdir()
    (tmp_path / "absent" / "sitecustomize.py").write_text(BLOCK)
    path = os.pathsep.join(filter(None, [str(tmp_path / "absent"), os.environ.get("PYTHONPATH")]))
    return lambda *command: run_embed(*command, env={"PYTHONPATH": path, "ABSENT": ",".join(left_out)})


def test_a_machine_that_only_asks_needs_neither_tensorflow_nor_keras(tmp_path, run_embed, small, left_out):
    assert left_out == ["keras", "matplotlib", "tensorflow"]
    demo.draw(tmp_path / "pictures", train=4, test=2)
    demo.draw(tmp_path / "new", train=1, test=1)
    run_embed("extract", "pictures", "--backbone", "tiny", check=True)
    run_embed("fit", "--clf", "dense", check=True)

    new = next((tmp_path / "new" / "train" / "sun").iterdir())
    for command in (
        ["info"],
        ["verify"],
        ["index"],
        ["similar", new],
        ["predict", new],
        ["duplicates"],
        ["outliers"],
        ["fit", "--clf", "svm"],
        ["mislabelled"],
        ["report"],
        ["export", "features.npy"],
    ):
        done = small(*command)
        assert done.returncode == 0, (command, done.stderr)
    assert json.loads(small("similar", new, "-k", "1", "--json").stdout) == json.loads(
        run_embed("similar", new, "-k", "1", "--json").stdout
    )


@pytest.mark.parametrize(
    ("command", "library"),
    [
        (["fit", "--clf", "dense"], "keras"),
        (["matrix"], "matplotlib"),
        (["extract", "pictures", "--backbone", "mobilenetv2", "--cache", "other"], "keras"),
    ],
)
def test_what_is_missing_is_said_with_the_way_to_get_it(tmp_path, run_embed, small, command, library):
    demo.draw(tmp_path / "pictures", train=4, test=2)
    run_embed("extract", "pictures", "--backbone", "tiny", check=True)
    weights = ["--weights", tmp_path / "w.weights.h5"] if "mobilenetv2" in command else []
    for file in weights[1:]:
        file.write_bytes(b"\x89HDF\r\n\x1a\n")
    done = small(*command, *weights)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert f"this needs {library}, which is not installed here; `pip install embed-images`" in done.stderr
