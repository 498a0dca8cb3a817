"""The wheel has everything that it needs, and runs where nothing of the checkout is."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    pytest.importorskip("build")
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT]
    result = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert result.returncode == 0, result.stderr
    (file,) = folder.glob("*.whl")
    return file


def test_it_holds_the_package_whole_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    packed = {name for name in names if name.startswith("embed/")}
    tracked = subprocess.run(
        ["git", "ls-files", "embed"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert set(tracked.stdout.split()) <= packed
    assert {name.split("/")[0] for name in names} == {
        "embed",
        next(n for n in names if ".dist-info/" in n).split("/")[0],
    }


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Return an environment of its own with the wheel in it, and its dependencies.

    The dependencies are not downloaded again: their folders are on its path, while the checkout is not.
    """
    folder = tmp_path_factory.mktemp("installed") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=120)
    python = folder / "bin" / "python"
    (packages,) = (folder / "lib").glob("python*/site-packages")
    dependencies = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (packages / "dependencies.pth").write_text("\n".join(dependencies))
    command = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
    ]
    result = subprocess.run([*command, wheel], capture_output=True, text=True, timeout=240)
    assert result.returncode == 0, result.stderr
    return folder / "bin"


def run(command, cwd):
    env = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    result = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=240)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_it_runs_where_the_checkout_is_not(installed, tmp_path):
    where = run([installed / "python", "-c", "import embed; print(embed.__file__)"], tmp_path).strip()
    assert Path(where).is_relative_to(installed.parent)
    draw = "from pathlib import Path; from embed import demo; demo.draw(Path('pictures'), train=4, test=1)"
    run([installed / "python", "-c", draw], tmp_path)
    command = installed / "embed"
    assert run([command, "--version"], tmp_path).startswith("embed ")
    summary = json.loads(run([command, "extract", "pictures", "--backbone", "tiny", "--json"], tmp_path))
    assert (summary["images"], summary["failed"]) == (30, 0)
    assert json.loads(run([command, "fit", "--json"], tmp_path))["n_test"] == 6
    similar = json.loads(
        run([command, "similar", "pictures/test/sun/sun-000.jpg", "-k", "2", "--json"], tmp_path)
    )
    assert [answer["rank"] for answer in similar] == [1, 2]
