"""A folder served to a browser, with the page of the guide and ONNX Runtime Web."""

import functools
import http.server
import re
import shutil
import subprocess
import tarfile
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "deploy.md"
PACKAGE = "onnxruntime-web@1.30.0"
FILES = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
FETCH_S = 120


def fetch_runtime(folder):
    """Put ONNX Runtime Web into a folder, from the registry of npm; skip where it cannot be had."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not on this machine, and ONNX Runtime Web comes from its registry")
    try:
        packed = subprocess.run(
            [npm, "pack", "--silent", PACKAGE],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=FETCH_S,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip(f"{PACKAGE} cannot be had from the registry of npm")
    archive = folder / packed.stdout.split()[-1]
    with tarfile.open(archive) as content:
        for name in FILES:
            (folder / name).write_bytes(content.extractfile(f"package/dist/{name}").read())
    archive.unlink()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def served(folder):
    """Serve a folder on this machine and give its address."""
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def classify(browser, folder, photographs):
    """Return the probabilities that the page of the guide gives photographs, by their names in the folder."""
    (html,) = re.findall(r"^```html\n(.*?)^```", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (folder / "index.html").write_text(f"<!doctype html><title>test</title>{html}", "utf-8")
    complaints = []
    with served(folder) as address:
        page = browser.new_page()
        page.set_default_timeout(0)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{address}/index.html")
        one = "async name => classify(await (await fetch(name)).blob())"
        rows = [page.evaluate(one, name) for name in photographs]
        page.close()
    assert complaints == []
    return rows
