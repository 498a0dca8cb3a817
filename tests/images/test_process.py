"""The processes that decode: what they run, and how they end."""

import json
import os
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from image_samples import samples

from embed.images import Decoder, Resize

RESIZE = Resize(32)


@pytest.fixture
def traps(tmp_path) -> Path:
    """A folder with a file for every module of the standard library and of the installed packages, and a log.

    A file that is imported or run writes its name into the log.
    """
    folder = tmp_path / "traps"
    folder.mkdir()
    names = {*sys.stdlib_module_names, *packages_distributions(), "embed", "sitecustomize", "usercustomize"}
    for name in names - {"__main__"}:
        if name.isidentifier():
            (folder / f"{name}.py").write_text(
                f"open({str(tmp_path / 'log')!r}, 'a').write('{name} ')\nraise SystemExit('foreign code')\n"
            )
    return folder


def ran(folder: Path) -> str:
    """Return the names of the traps that were run."""
    log = folder.parent / "log"
    return log.read_text() if log.exists() else ""


def test_a_trap_is_sprung_by_whoever_imports_from_the_folder(traps, run_embed):
    run_embed.python("-c", "import random", cwd=traps)
    assert "random" in ran(traps)


def test_no_file_of_the_working_folder_or_the_data_folder_is_run(traps, run_embed):
    for name, data in samples().items():  # one of every format, so that every decoder is imported
        (traps / name).write_bytes(data)
    command = ("-P", "-m", "embed.cli", "extract", ".", "--backbone", "tiny", "--json")
    result = run_embed.python(*command, cwd=traps)
    assert (ran(traps), result.returncode) == ("", 0), result.stderr
    assert json.loads(result.stdout)["extracted"] == len(samples())


@pytest.mark.parametrize("search", ["", ".", ":", "..:", "traps:", ":/nowhere", "/nowhere:"])
def test_an_entry_of_pythonpath_that_means_the_working_folder_is_not_followed(traps, monkeypatch, search):
    monkeypatch.chdir(traps)
    monkeypatch.setenv("PYTHONPATH", search)
    with Decoder(RESIZE, workers=1) as decoder:
        assert decoder.decode(samples()["rgb.jp2"]).shape == (32, 32, 3)
    assert ran(traps) == ""


def test_an_installation_through_pythonpath_is_found(tmp_path, run_embed):
    # Without its site-packages this interpreter has neither the package nor what that needs.
    (tmp_path / "photo.jp2").write_bytes(samples()["rgb.jp2"])
    package_parent = Path(sys.modules["embed"].__file__).parents[1]
    libraries = os.pathsep.join(path for path in sys.path if "-packages" in path)
    script = (
        "from pathlib import Path\nfrom embed import images\n"
        "print(images.decode_file(Path('photo.jp2'), images.Resize(8))[0].shape)"
    )
    for search in (
        f"{package_parent}:{libraries}",
        f"{os.path.relpath(package_parent, tmp_path)}:{libraries}",
    ):
        result = run_embed.python("-S", "-c", script, env={"PYTHONPATH": search})
        assert result.stdout == "(8, 8, 3)\n", result.stderr
