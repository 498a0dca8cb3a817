"""What all commands do alike: listed in full, quiet when nobody reads on, one sentence when something is in the way."""

import ast
import inspect
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import embed
from embed import cli, demo
from embed.cli import common
from embed.cli.app import COMMANDS, GROUPS, app
from embed.errors import EmbedError, UsageError

EMBED = Path(cli.__file__).parents[1]


def parsers():
    cli.register()
    return typer.main.get_command(app).commands


def test_commands_are_listed_in_groups_in_the_order_of_use_and_cut_nowhere(run_embed):
    listed = run_embed("--help", env={"COLUMNS": "80"}, check=True).stdout.split("\n\n")[4:]
    groups = [block.split(":\n", 1)[0] for block in listed]
    assert groups == list(GROUPS)
    for group, block in zip(groups, listed, strict=True):
        lines = re.findall(r"^  (\S+(?: \S+)?)  +(\S.*)$", block, re.MULTILINE)
        assert [name for name, _ in lines] == list(GROUPS[group])
        assert all(words.endswith(".") and not words.endswith("...") for _, words in lines)


def test_every_command_answers_to_both_spellings_of_help(capsys):
    for name in COMMANDS:
        pages = []
        for flag in ("-h", "--help"):
            assert cli.main([*name.split(), flag]) == 0
            pages.append(capsys.readouterr().out)
        assert pages[0] == pages[1] and f"embed {name}" in pages[0]


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (["extrakt", "photos"], "'extract'"),
        (["verify", "--quik"], "--quick"),
        (["info", "--labls", "x"], "--labels"),
    ],
)
def test_a_slip_of_the_keyboard_is_told_with_what_was_meant(arguments, meant, capsys):
    assert cli.main(arguments) == 2
    assert meant in capsys.readouterr().err.splitlines()[-1]


def test_a_light_command_imports_nothing_heavy(run_embed):
    code = (
        "import sys; from embed.cli import main\n"
        "for line in (['--help'], ['--version'], ['backbones'], ['info']): main(line)\n"
        "heavy = ('tensorflow', 'keras', 'openvino', 'faiss', 'sklearn', 'pandas', 'scipy', 'matplotlib', 'rich', 'skops')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert run_embed.python("-c", code, check=True).stdout.splitlines()[-1] == "[]"


def test_an_error_names_the_flag_of_the_command_and_where_there_is_none_the_parameter():
    page = parsers()["duplicates"]
    assert cli._told(UsageError("shows a page", "show"), page) == "--open shows a page"
    assert cli._told(UsageError("'x' is not known", "pooling"), page) == "pooling 'x' is not known"
    assert cli._told(UsageError("There is no page."), page) == "There is no page."
    assert cli._told(UsageError("there are none", "images"), parsers()["predict"]) == "images there are none"


def test_the_flag_is_told_to_the_user(tmp_path, capsys, monkeypatch):
    def fail(*_, **__):
        raise UsageError("is wrong", "as_json")

    monkeypatch.setattr(common, "open_features", fail)
    assert cli.main(["info"]) == 2
    assert capsys.readouterr().err == "embed: --json is wrong\n"


def raised():
    """Every raise of the library with its place, and the words in it."""
    for file in sorted(EMBED.rglob("*.py")):
        if file.is_relative_to(EMBED / "cli"):
            continue
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                yield f"{file.relative_to(EMBED)}:{node.lineno}", node.exc


def test_the_library_speaks_of_parameters_and_not_of_flags():
    flags = [
        (place, constant.value)
        for place, call in raised()
        for constant in ast.walk(call)
        if isinstance(constant, ast.Constant)
        and isinstance(constant.value, str)
        and re.search(
            r"(?<![\w-])--[a-z]", re.sub(r"`embed [^`]+`", "", constant.value)
        )  # a whole command may be named
    ]
    assert flags == []


def test_every_parameter_that_an_error_names_is_one_of_a_command_or_of_a_public_function():
    known = {parameter.name for command in parsers().values() for parameter in command.params}
    public = [getattr(embed, name) for name in embed.__all__]
    public += [method for owner in public if inspect.isclass(owner) for method in vars(owner).values()]
    for function in filter(inspect.isfunction, public):
        known |= inspect.signature(function).parameters.keys()
    named = {}
    for place, call in raised():
        if place.startswith("serve/"):
            continue  # they name the fields of a request
        if getattr(call.func, "id", "") == "UsageError" and isinstance(call.args[-1], ast.Constant):
            named[place] = call.args[1].value if len(call.args) == 2 else ""
    assert named
    assert {place: name for place, name in named.items() if name and name not in known} == {}


def test_what_an_error_says_is_what_its_message_and_parameter_are():
    assert str(UsageError("must be 1 or more", "views")) == "views must be 1 or more"
    assert str(UsageError("There is nothing to do.")) == "There is nothing to do."
    assert issubclass(UsageError, EmbedError)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A cache with the features of six pictures."""
    folder = tmp_path_factory.mktemp("small")
    demo.draw(folder / "pictures", train=1, test=0)
    (folder / "pictures" / "train" / "fish" / "\u4e2d.jpg").write_bytes(b"no picture")
    cli.main(["extract", str(folder / "pictures"), "--backbone", "tiny", "--cache", str(folder / "cache")])
    return folder


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_error_and_its_number_is_given_to_no_file(small, tmp_path, closed):
    script = f'"{sys.executable}" -m embed.cli export x.npy --cache "{small / "cache"}" {closed}'
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "x.npy").read_bytes()[:6] == b"\x93NUMPY"


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "ascii"},
        {"TERM": "dumb"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"HOME": "", "XDG_CACHE_HOME": ""},
    ],
    ids=lambda environment: next(iter(environment)),
)
def test_no_environment_ends_in_a_traceback(small, run_embed, environment):
    for arguments in (["info"], ["info", "--json"], ["duplicates", "--csv"], ["similar", small / "pictures"]):
        done = run_embed(*arguments, "--cache", small / "cache", env=environment)
        assert "Traceback" not in done.stderr
        assert done.returncode == 0, done.stderr


def test_where_there_is_no_terminal_nobody_is_asked_and_nothing_waits(tmp_path):
    """A folder whose set cannot be told for certain: in a terminal, the user would be asked."""
    first, second, cache = tmp_path / "pictures", tmp_path / "others", tmp_path / "cache"
    demo.draw(first, train=2, test=0)
    command = f'"{sys.executable}" -m embed.cli extract "{{}}" --backbone tiny --cache "{cache}" <&-'

    def extract(folder):
        done = subprocess.run(
            ["bash", "-c", command.format(folder)],
            capture_output=True,
            text=True,
            timeout=200,
            start_new_session=True,
        )
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
        return done.stderr

    extract(first)
    shutil.copytree(
        first, second
    )  # another inode: it may be the same photographs, or a backup of most of them
    next(second.rglob("*-000.jpg")).unlink()
    shutil.rmtree(first)
    assert "--move" in extract(second)
    assert len(list(cache.glob("*--tiny-*"))) == 2


def test_what_an_encoding_lacks_is_escaped_and_bytes_of_a_name_stay(tmp_path):
    code = "from embed.cli import streams; streams.prepare(); print('caf\\udce9 \\u4e2d \\xe9')"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True
    )
    assert done.stdout == b"caf\xe9 \\u4e2d \\xe9\n"


def test_on_windows_one_sentence_says_what_to_do(capsys, monkeypatch):
    monkeypatch.setattr(cli, "WINDOWS", True)
    assert cli.main(["info"]) == 1
    assert capsys.readouterr().err == f"embed: {cli.NOT_ON_WINDOWS}\n"


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


def test_every_cell_of_comma_separated_values_is_safe_in_a_spreadsheet(capsys):
    common.print_table(("path", "similarity"), [("=1+1.jpg", -0.5)], form=common.Output.CSV)
    assert capsys.readouterr().out == "path,similarity\n\\'=1+1.jpg,-0.5\n"


@pytest.mark.parametrize("width", [40, 80, 200])
def test_no_number_is_broken_over_lines_and_no_column_is_lost(width, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    columns = ["features", *(f"figure_{i}" for i in range(12))]
    rows = [
        ["a-long-name-of-a-feature-set--mobilenetv2", *(0.1234 + i for i in range(12))],
        ["b", *[None] * 12],
    ]
    common.print_table(columns, rows, title="Wide")
    lines = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out).splitlines()
    assert max(map(len, lines)) <= width
    words = " ".join(lines).split()
    assert [f"{0.1234 + i:.4g}" for i in range(12)] == [
        word for word in words if re.fullmatch(r"\d+\.\d+", word)
    ]
    assert words.count("figure") == 12  # a name of several words is broken between them


def test_a_comparison_fits_eighty_columns(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    columns = ("features", "classifier", "n", "accuracy", "low", "high", "baseline", "log_loss", "seconds")
    rows = [
        ["clothing--mobilenetv2-6dd59eb4", head, 3409, 0.8613, 0.8491, 0.8727, 0.2073, 0.4567, 12.34]
        for head in ("linear-svm", "logistic", "dense")
    ]
    common.print_table(columns, rows, heading=("features", "n", "baseline"))
    lines = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out).splitlines()
    lines = [line.rstrip() for line in lines if line.strip()]
    assert lines[0] == "clothing--mobilenetv2-6dd59eb4, n 3409, baseline 0.2073"
    assert lines[1].split() == ["log"]  # a name of two words is broken between them
    assert lines[2].split() == ["classifier", "accuracy", "low", "high", "loss", "seconds"]
    assert len(lines) == 7 and max(map(len, lines)) <= 80


def test_names_of_the_users_own_are_written_as_they_are(monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    common.print_table(("true", "polo_shirt"), [("a", 1)], verbatim=True)
    assert "polo_shirt" in capsys.readouterr().out


def test_which_set_is_used_is_said_once_in_a_terminal_and_always_in_a_log(tmp_path):
    demo.draw(tmp_path / "pictures", train=1, test=0)
    for place in ("one", "two"):
        shutil.copytree(tmp_path / "pictures", tmp_path / place)
        cli.main(["extract", str(tmp_path / place), "--backbone", "tiny", "--cache", str(tmp_path / "cache")])
    program = [sys.executable, "-m", "embed.cli", "info", "--cache", str(tmp_path / "cache")]
    environment = {**os.environ, "EMBED_HOME": str(tmp_path / "home")}

    reading, writing = pty.openpty()

    def said(terminal):
        stderr = writing if terminal else subprocess.PIPE
        done = subprocess.run(
            program, stdout=subprocess.DEVNULL, stderr=stderr, env=environment, timeout=200, check=True
        )
        os.write(writing, b"\n")
        told = os.read(reading, 4096)
        return told if terminal else done.stderr

    first = said(True)
    assert b"Using two--tiny-" in first
    assert [b"Using" in said(terminal) for terminal in (True, False, False)] == [False, True, True]
    (kept,) = (tmp_path / "home" / "said").iterdir()
    os.utime(kept, (0, 0))  # long ago
    assert b"Using" in said(True)
    os.close(reading)
    os.close(writing)


@pytest.mark.parametrize(("count", "told"), [(0, "0 parts"), (1, "1 part"), (2, "2 parts")])
def test_one_is_no_plural(count, told):
    assert common.counted(count, "part") == told
