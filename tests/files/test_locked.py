"""A lock that others wait for, and that dies with its holder."""

import signal
import subprocess
import sys
import threading

import pytest
from waiting import until

from embed.errors import CacheWriteError
from embed.files import locked

HOLDER = """
import sys, time
from pathlib import Path
from embed.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_others_wait_until_the_holder_is_done_or_dead(tmp_path):
    file = tmp_path / "a.csv"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, file], stdin=-1, stdout=-1, text=True)
    assert holder.stdout.readline() == "held\n"
    entered = threading.Event()

    def enter():
        with locked(file):
            entered.set()

    waiting = threading.Thread(target=enter)
    waiting.start()
    assert not entered.is_set()
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    until(entered.is_set, "the lock")
    waiting.join()


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(CacheWriteError, match="cannot write"), locked(tmp_path / "no" / "a.csv"):
        pass
