"""Fixtures that the whole suite shares."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SHARED = Path(__file__).resolve().parents[1] / ".." / "shared"


TIMING = ("Popen(", "os.fork", "threading", "signal.", "browser", "run_embed")


# A shell starts what it leaves in the background with Ctrl-C ignored, and every process below inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Mark what may depend on who is faster: whatever has to do with other processes, threads or a browser."""
    sources = {item.path: item.path.read_text("utf-8") for item in items}
    for item in items:
        if any(word in sources[item.path] for word in TIMING):
            item.add_marker(pytest.mark.timing)


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
def efficientnet() -> Path:
    """A real network as people bring it: (x - 127) / 128, channels first, any number of pictures of 224 pixels."""
    return _shared("onnx/efficientnet_lite0.onnx")


@pytest.fixture(scope="session")
def ants_bees() -> Path:
    """397 photographs and one GIF in train/ and val/, two classes."""
    return _shared("data/ants_bees")


@pytest.fixture(scope="session")
def clothing() -> Path:
    """3,781 photographs in train/, validation/ and test/, ten classes."""
    return _shared("data/clothing")


class MeanColour:
    """A backbone whose features can be worked out by hand: the mean of each channel. Counts the photographs it saw."""

    dimension = 3
    batch_size = 8

    def __init__(self):
        self.seen = 0

    def run(self, batch):
        assert batch.dtype == np.uint8
        self.seen += len(batch)
        return batch.mean(axis=(1, 2), dtype=np.float64).astype(np.float32)


@pytest.fixture
def backbone(monkeypatch):
    """The runtime of every extraction in this process is one `MeanColour`."""
    runtime = MeanColour()
    for module in ("here", "outside"):
        monkeypatch.setattr(f"embed.extract.{module}.open_runtime", lambda *_, **__: runtime)
    return runtime


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


@pytest.fixture(scope="module")
def browser():
    """A Chromium without a window, for the tests marked `browser`."""
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next((path for name in names if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium on this machine")
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    flags += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture
def open_tab(browser):
    """Open a file in a new tab: ``open_tab(file, viewport={...})``; no page may complain, or run what a name says."""
    complaints, tabs = [], []

    def open_file(file, **options):
        tab = browser.new_page(**options)
        tabs.append(tab)
        tab.on("console", lambda message: complaints.append(message.text))
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("dialog", lambda dialog: complaints.append(dialog.message))
        tab.goto(file.as_uri())
        return tab

    yield open_file
    for tab in tabs:
        tab.close()
    assert complaints == []
