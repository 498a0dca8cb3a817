"""Fixtures that the whole suite shares."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[1] / ".." / "shared"


def _shared(folder: str) -> Path:
    path = SHARED / folder
    if not path.exists():
        pytest.skip(f"../shared/{folder} is not on this machine")
    return path.resolve()


@pytest.fixture(scope="session")
def keras_home() -> Path:
    """A KERAS_HOME with real ImageNet weights of MobileNetV2."""
    return _shared("keras_home")


@pytest.fixture(scope="session")
def ants_bees() -> Path:
    """397 photographs and one GIF in train/ and val/, two classes."""
    return _shared("data/ants_bees")


@pytest.fixture(scope="session")
def clothing() -> Path:
    """3,781 photographs in train/, validation/ and test/, ten classes."""
    return _shared("data/clothing")


@pytest.fixture
def run_embed(tmp_path):
    """Run the command in an empty folder, as a user would: ``run_embed("extract", folder, env={...})``.

    ``run_embed.python(...)`` runs the interpreter instead, with the same options.
    """

    def python(*arguments, env=None, cwd=None, check=False, timeout=240, **options):
        result = subprocess.run(
            [sys.executable, *map(str, arguments)],
            cwd=cwd or tmp_path,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=timeout,
            **options,
        )
        if check:
            assert result.returncode == 0, result.stderr
        return result

    def run(*arguments, **options):
        return python("-m", "embed.cli", *arguments, **options)

    run.python = python
    return run
