"""The processes that decode: what they run, what they may take, and how they end."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from image_samples import decode, encoded, heif, picture, samples
from PIL import Image
from traps import make_traps, ran
from waiting import until

from embed.errors import ImageError
from embed.images import Decoder, Resize
from embed.images.pool import pool

RESIZE = Resize(32)


def jpeg_of_thousands_of_scans() -> bytes:
    """A small file in order by its header, that asks for more work than anybody has time for."""
    data = encoded(Image.new("L", (3000, 3000), 90), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + scan * 5000 + data[-2:]


def running(pid: int) -> bool:
    """Return whether a process is there and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ticks(pid: int) -> int:
    """Return the processor time of a process, in hundredths of a second; starting takes about ten."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11])


@pytest.fixture
def traps(tmp_path) -> Path:
    """A folder with a file for every module, and a log of those that were imported or run."""
    return make_traps(tmp_path)


def test_a_trap_is_sprung_by_whoever_imports_from_the_folder(traps, run_embed):
    run_embed.python("-c", "import random", cwd=traps)
    assert "random" in ran(traps)


def test_no_file_of_the_working_folder_or_the_data_folder_is_run(traps, run_embed):
    photographs = {**samples(), "photo.heic": heif(picture())}
    for name, data in photographs.items():  # one of every format, so that every decoder is imported
        (traps / name).write_bytes(data)
    command = ("-P", "-m", "embed.cli", "extract", ".", "--backbone", "tiny", "--json")
    result = run_embed.python(*command, cwd=traps)
    assert (ran(traps), result.returncode) == ("", 0), result.stderr
    assert json.loads(result.stdout)["extracted"] == len(photographs)


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


@pytest.fixture
def busy():
    """A process that is at work on a photograph, its decoder, and what becomes of the photograph."""
    outcome: list[str] = []
    with Decoder(RESIZE, workers=1) as decoder:

        def work():
            try:
                decoder.decode(jpeg_of_thousands_of_scans())
            except ImageError as error:
                outcome.append(str(error))

        thread = threading.Thread(target=work)
        thread.start()
        until(lambda: decoder._busy, "a process at work")
        yield decoder, outcome, thread
        decoder.close()
        thread.join()


def test_no_process_is_left_at_work_when_decoding_is_broken_off(busy):
    decoder, outcome, thread = busy
    (child,) = decoder._busy
    decoder.close()
    thread.join()
    assert not running(child.pid)
    assert outcome == ["was not decoded: the program was told to stop"]


def test_a_photograph_whose_process_is_killed_is_tried_once_more_in_another(busy):
    decoder, outcome, thread = busy
    (first,) = decoder._busy
    os.kill(first.pid, signal.SIGKILL)
    until(lambda: decoder._busy and first not in decoder._busy, "another process")
    (second,) = decoder._busy
    os.kill(second.pid, signal.SIGKILL)
    thread.join()
    assert outcome == ["its decoder was killed, as happens when memory is short"]


def test_a_process_that_is_killed_while_it_is_idle_costs_nothing():
    decode(samples()["rgb.png"])
    for child in list(pool()._idle):
        os.kill(child.pid, signal.SIGKILL)
    assert decode(samples()["rgb.png"]).shape == (32, 32, 3)


def test_a_photograph_whose_process_was_killed_is_tried_again_by_the_next_run(tmp_path, run_embed):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(samples()["rgb.png"])
    killer = (
        "import os, signal, embed\nfrom embed.images.process import Child\nstart = Child.__init__\n"
        "def started(self):\n    start(self)\n    os.kill(self.pid, signal.SIGKILL)\n"
        "Child.__init__ = started\n"
        "from embed.cli import main\nmain()"
    )
    command = ("extract", "photos", "--backbone", "tiny", "--json")
    first = json.loads(run_embed.python("-c", killer, *command).stdout)
    assert (first["extracted"], first["failed"]) == (0, 1)
    second = json.loads(run_embed(*command).stdout)
    assert (second["extracted"], second["failed"]) == (1, 0)


def test_a_process_that_crashes_is_a_failure_of_its_photograph(busy):
    decoder, outcome, thread = busy
    (first,) = decoder._busy
    os.kill(first.pid, signal.SIGSEGV)
    until(lambda: decoder._busy and first not in decoder._busy, "another process")
    (second,) = decoder._busy
    os.kill(second.pid, signal.SIGSEGV)
    thread.join()
    assert outcome == ["crashes its decoder"]


def test_processes_are_used_again():
    decode(samples()["rgb.png"])
    before = {child.pid for child in pool()._children}
    for data in samples().values():
        decode(data)
    assert {child.pid for child in pool()._children} == before


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process notices when it is done")
@pytest.mark.parametrize("data", [b"", jpeg_of_thousands_of_scans()], ids=["idle", "at work"])
def test_processes_end_with_a_parent_that_is_killed(tmp_path, data):
    (tmp_path / "photo").write_bytes(data)
    script = (
        "import threading, time\nfrom embed.images import Decoder, Resize\nfrom embed.images.pool import pool\n"
        "def work():\n"
        "    try: Decoder(Resize(8)).decode(open('photo', 'rb').read())\n"
        "    except Exception: pass\n"
        "    threading.Event().wait()\n"
        "threading.Thread(target=work).start()\n"
        "while not pool()._children: time.sleep(0.01)\n"
        "print(*[child.pid for child in pool()._children], flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE) as parent:
        child = int(parent.stdout.readline())
        if data:
            until(lambda: ticks(child) > 50, "a process at work")
        assert running(child)
        parent.kill()
        until(lambda: not running(child), "the end of the process")


def test_a_decoder_works_in_a_forked_process():
    with Decoder(RESIZE, workers=1) as decoder:
        expected = decoder.decode(samples()["rgb.png"])
        children = {child.pid for child in pool()._children}
        pid = os.fork()
        if not pid:
            status = 1
            try:
                same = (decoder.decode(samples()["rgb.png"]) == expected).all()
                own = not children & {child.pid for child in pool()._children}
                decoder.close()
                pool().close()
                status = 0 if same and own else 2
            finally:
                os._exit(status)
        assert os.waitpid(pid, 0)[1] == 0
        assert (decoder.decode(samples()["rgb.png"]) == expected).all()
        assert {child.pid for child in pool()._children} == children
