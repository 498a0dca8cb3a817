"""What all commands do alike: listed in full, quiet when nobody reads on, one sentence when something is in the way."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from embed.cli import MODULES, common


def test_the_list_of_commands_is_in_the_order_of_use_and_cut_nowhere(run_embed):
    listed = run_embed("--help", env={"COLUMNS": "80"}, check=True).stdout.split("Commands:\n")[1]
    lines = re.findall(r"^  (\S+) +(\S.*)$", listed, re.MULTILINE)
    assert [name for name, _ in lines] == [name for names in MODULES.values() for name in names]
    assert all(words.endswith(".") and not words.endswith("...") for _, words in lines)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_goes_away_is_no_error(run_embed, unbuffered):
    command = f"{sys.executable} -m embed.cli backbones | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command],
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONUNBUFFERED": unbuffered},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("name\t")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full on this machine")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", [["--help"], ["backbones", "--json"]])
def test_an_output_that_cannot_be_written_is_told_in_one_sentence(arguments, unbuffered, monkeypatch):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "embed.cli", *arguments], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert (done.returncode, done.stderr) == (1, "embed: cannot write the output: No space left on device\n")


@pytest.mark.parametrize("module", ["typer", "numpy"])
def test_ctrl_c_is_heeded_while_modules_are_imported(run_embed, tmp_path, module):
    (tmp_path / f"{module}.py").write_text("raise KeyboardInterrupt")
    done = run_embed("info", env={"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"})
    assert (done.returncode, done.stderr) == (130, "embed: interrupted\n")


def test_a_demo_that_has_no_place_says_so(run_embed, tmp_path):
    (tmp_path / "file").touch()
    done = run_embed("demo", "file")
    assert done.returncode == 1
    assert (
        done.stderr.splitlines()[-1]
        == "embed: cannot draw pictures into file/pictures/train/boat: Not a directory"
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("terminal", [False, True])
def test_no_name_of_a_file_breaks_a_table_or_reaches_the_terminal_as_a_command(terminal, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal, raising=False)
    hostile = "red\x1b[31m\ttab\nline\u202e"
    common.print_table(("path", "label", "similarity"), [(hostile, None, 0.5), ("plain", "b", 0.25)])
    said = capsys.readouterr().out
    (line,) = [line for line in said.splitlines() if "red" in line]
    assert r"red\x1b[31m\ttab\nline\u202e" in line
    if not terminal:
        assert line.split("\t")[1:] == ["", "0.5"]
