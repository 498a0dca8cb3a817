"""Install the wheel, with the newest versions of what it needs, on every Python of this machine, and do the main job.

    python tests/support/pythons.py [3.12 ...]

One environment for each version, in build/pythons; the line at the end counts them.
"""

import glob
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "pythons"
VERSIONS = ("3.11", "3.12", "3.13")  # those that pyproject.toml declares
PASSED, FAILED, ABSENT = "passed", "failed", "not on this machine"
HEADS = ("logistic", "dense", "svm", "linear-svm", "knn", "dummy")
WEIGHTS = """
import os; os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras; keras.utils.set_random_seed(0)
keras.applications.MobileNetV2(weights=None, include_top=False, input_shape=(96, 96, 3)).save_weights("random.weights.h5")
"""
# In one process: scikit-learn is imported once.
FIT = """
import sys
from embed.cli import main
sys.exit(max(main(["fit", "--clf", head, "--json"]) for head in sys.argv[1:]))
"""
DRAW = "from pathlib import Path; from embed import demo; demo.draw(Path('pictures'), train=8, test=4)"


def find(version: str) -> str | None:
    """Return an interpreter of that version that can make environments, or None."""
    pyenv = os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))
    candidates = [*sorted(glob.glob(f"{pyenv}/versions/{version}.*/bin/python"), reverse=True)]
    candidates += [path for path in (shutil.which(f"python{version}"), sys.executable) if path]
    code = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    for candidate in candidates:
        asked = subprocess.run([candidate, "-c", code], capture_output=True, text=True, check=False)
        if asked.stdout.strip() == version:
            return candidate
    return None


def run(*command: str | Path, cwd: Path) -> str:
    """Run a command and return what it prints; end with what it complained of where it fails."""
    env = {
        key: value
        for key, value in os.environ.items()
        if key not in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "KERAS_HOME")
    }
    env["EMBED_HOME"] = str(cwd / "home")
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def main_job(version: str, interpreter: str, wheel: Path) -> None:
    """Install the wheel into a new environment and go from photographs to a report."""
    place = FOLDER / version
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    run(interpreter, "-m", "venv", "env", cwd=place)
    binaries = place / "env" / "bin"
    # Modules are compiled when they are imported: most never are.
    run(binaries / "pip", "install", "--quiet", "--upgrade", "--no-compile", wheel, cwd=place)
    embed = binaries / "embed"
    run(binaries / "python", "-c", WEIGHTS, cwd=place)
    run(binaries / "python", "-c", DRAW, cwd=place)
    summary = json.loads(
        run(
            embed,
            "extract",
            "pictures",
            "--size",
            "96",
            "--weights",
            "random.weights.h5",
            "--json",
            cwd=place,
        )
    )
    if (summary["images"], summary["failed"]) != (72, 0):
        raise RuntimeError(f"extract: {summary}")
    for head, accuracy in zip(
        HEADS, accuracies(run(binaries / "python", "-c", FIT, *HEADS, cwd=place)), strict=True
    ):
        print(f"  {version}, {head}: {accuracy:.3f}", flush=True)
    photograph = "pictures/test/sun/sun-000.jpg"
    if len(json.loads(run(embed, "similar", photograph, "-k", "3", "--json", cwd=place))) != 3:
        raise RuntimeError("similar: not three answers")
    run(embed, "predict", photograph, cwd=place)
    run(embed, "report", "--out", "report.html", cwd=place)
    if not (place / "report.html").stat().st_size:
        raise RuntimeError("report: an empty page")


def accuracies(printed: str) -> list[float]:
    """Return those of the documents that were printed one after the other."""
    found = []
    while printed := printed.lstrip():
        document, end = json.JSONDecoder().raw_decode(printed)
        found.append(document["accuracy"])
        printed = printed[end:]
    return found


def build() -> Path:
    """Return the wheel of this checkout, built in an environment of its own."""
    place = FOLDER / "build"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    run(sys.executable, "-m", "venv", "env", cwd=place)
    pip = place / "env" / "bin" / "pip"
    run(pip, "wheel", "--quiet", "--no-deps", "--wheel-dir", "dist", ROOT, cwd=place)
    (wheel,) = (place / "dist").glob("*.whl")
    return wheel


def attempt(version: str, wheel: Path) -> str:
    """Do the main job by a version where this machine has it, and return what came of it."""
    interpreter = find(version)
    if interpreter is None:
        return ABSENT
    print(f"Python {version} ({interpreter})", flush=True)
    try:
        main_job(version, interpreter, wheel)
    except RuntimeError as error:
        print(f"Python {version}: {error}", flush=True)
        return FAILED
    finally:
        shutil.rmtree(FOLDER / version / "env", ignore_errors=True)  # gigabytes
    return PASSED


def main() -> int:
    """Try every version, two at a time, and return how many failed."""
    wheel = build()
    with ThreadPoolExecutor(2) as threads:  # pip installs with one processor
        outcomes = list(threads.map(lambda version: attempt(version, wheel), sys.argv[1:] or VERSIONS))
    print("Pythons: " + ", ".join(f"{outcomes.count(kind)} {kind}" for kind in (PASSED, FAILED, ABSENT)))
    return outcomes.count(FAILED)


if __name__ == "__main__":
    sys.exit(main())
