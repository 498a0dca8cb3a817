"""What the walk-throughs tell to type is run by their benchmark."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Where the table of the walk-throughs names another photograph, folder or place than the benchmark has.
SAME = {"data/": "{data}", "pets/": "{data}", "photo.jpg": "{photo}"}


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def systems(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    monkeypatch.setitem(sys.modules, "systems", None)
    return load("systems")


def shape(command):
    """Return a command by its name, its options, and what it is about."""
    words = [SAME.get(word, word) for word in command.replace("'", "").split()]
    options = {word for word in words if word.startswith("--")}
    about = {word for word in words if word.startswith("{")} - {"{network}"}
    return words[0], frozenset(options - {"--model", "--backbone"}), frozenset(about)


def test_every_command_of_the_walk_throughs_is_run_by_the_benchmark(systems):
    text = (ROOT / "docs" / "systems.md").read_text("utf-8").split("## How the number")[0]
    table = "\n".join(line for line in text.splitlines() if line.startswith("|"))
    told = re.findall(r"`embed ([^`]+)`", table)
    run = {shape(command) for command in systems.commands()}
    assert len(told) > 15
    parts = [part for command in told for part in command.split(" && embed ")]
    bare = {name for name, _, _ in run}  # where a sentence speaks of the command as such
    assert [part for part in parts if shape(part) not in run and part not in bare] == []
