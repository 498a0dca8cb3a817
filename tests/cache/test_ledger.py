"""Ctrl-C while a part is written, and the witness of what was published."""

import subprocess
import sys
from pathlib import Path

from cache_helpers import fill, open_writer

from embed.cache import ledger, open_features

SUPPORT = Path(__file__).parents[1] / "support"


def test_ctrl_c_at_any_write_ends_the_command_and_not_the_process(tmp_path):
    # HDF5 crashes where an exception passes through it: a process of its own shows that none does.
    code = f"""
import os, signal, sys; sys.path.insert(0, {str(SUPPORT)!r})
from pathlib import Path; from cache_helpers import *; from embed.cache import open_features
pwrite, folder = os.pwrite, Path({str(tmp_path)!r})
def interrupt_at(number):
    def counted(*arguments):
        nonlocal number
        number -= 1
        if number == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return pwrite(*arguments)
    return counted
for number in range(1, 1000):
    writer = open_writer(folder / str(number))
    fill(writer, ["a.jpg"])
    os.pwrite = interrupt_at(number)
    try:
        writer.commit()
        break
    except KeyboardInterrupt:
        pass
    finally:
        os.pwrite = pwrite
        writer.close()
    with open_writer(folder / str(number)) as writer:
        fill(writer, ["a.jpg"])
    assert open_features(folder / str(number) / "cache").keys == [b"a.jpg"]
print(number)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 10


def test_torn_and_altered_lines_of_the_ledger_are_ignored(tmp_path):
    with open_writer(tmp_path, rows_per_part=1) as writer:
        fill(writer, ["a.jpg", "b.jpg"])
    path = writer.folder / ledger.LEDGER_NAME
    names, data = ledger.read(writer.folder), path.read_bytes()
    assert names == {part.name for part in writer.folder.glob("part-*")}
    for damaged in (
        data[:-7],
        data[:60] + b"\0" * 30,
        b"\xff\xfe" + data[2:],
        data.replace(b"part-00000001", b"part-00000007"),
    ):
        path.write_bytes(damaged)
        assert ledger.read(writer.folder) <= names
        assert len(open_features(tmp_path / "cache")) == 2
    path.unlink()
    assert len(open_features(tmp_path / "cache")) == 2
    open_writer(tmp_path).close()
    assert ledger.read(writer.folder) == names
