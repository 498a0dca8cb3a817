"""Made-up content for every file that is read; ``make fuzz`` goes on for twenty minutes."""

import subprocess
import sys

import fuzz
import pytest
from fuzz_worker import TARGETS

EXAMPLES = 12  # of each target
FOUND = sorted(path for path in fuzz.CORPUS.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def worker():
    one = fuzz.Worker()
    yield one
    one.close()


@pytest.mark.parametrize("target", TARGETS)
def test_made_up_content_is_answered_rightly_or_refused_in_a_sentence(worker, target):
    count, _, findings = fuzz.fuzz(worker, target, examples=EXAMPLES)
    assert [f"{found.where}\n{found.content!r}\n{found.text}" for found in findings.values()] == []
    assert count >= EXAMPLES


@pytest.mark.parametrize("file", FOUND, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_what_was_found_once_is_not_found_again(worker, file):
    assert fuzz.again(worker, file) is None


@pytest.mark.parametrize(
    ("way", "where"),
    [
        ("wrong", "WrongError in the test"),
        ("exception", "KeyError in the test"),
        ("two lines", "no sentence"),
        ("signal", "died of SIGSEGV"),
        ("exit", "ended with 3"),
        ("memory", "memory"),
        ("loop", "takes more than 1 s"),
    ],
)
def test_a_reader_that_does_wrong_is_found(worker, monkeypatch, way, where):
    if way == "loop":
        monkeypatch.setattr(fuzz, "MOST_SECONDS", 1)
    found, _ = worker.judge("broken", way, b"anything")
    assert found.where == f"broken, {way}: {where}"


def test_a_refusal_is_no_finding(worker):
    assert worker.judge("broken", "sentence", b"") == (None, "It is refused.")


def test_the_smallest_example_is_kept_and_can_be_judged_again(tmp_path, worker, monkeypatch):
    monkeypatch.setattr(worker, "files", lambda target: {"number": ("bytes", b"0123456789")})
    _, _, findings = fuzz.fuzz(worker, "broken", examples=60)
    (found,) = findings.values()
    assert found.where == "broken, number: ValueError in the test"
    assert len(found.content) <= 2
    file = fuzz.keep(found, tmp_path)
    assert fuzz.again(worker, file).where == found.where
    command = [sys.executable, fuzz.__file__, "--again", file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 1
    assert "ValueError" in done.stdout
