"""The documentation lacks no command and no public name, and builds."""

import doctest
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import embed
from embed import demo
from embed.cli.app import COMMANDS as HOMES

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def load_hooks():
    spec = importlib.util.spec_from_file_location("docs_hooks", DOCS / "hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HOOKS = load_hooks()
COMMANDS = HOOKS.commands()
GUIDES = "\n".join(path.read_text("utf-8") for path in DOCS.rglob("*.md"))


def test_every_command_is_found_in_its_module():
    assert {name: f"embed.cli.{module}" for name, module in HOMES.items()} == {
        name: command.callback.__module__ for name, command in COMMANDS.items()
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_shown_in_a_guide(name):
    assert re.search(rf"embed {name}\b", GUIDES)


def test_what_the_guides_tell_to_type_exists():
    typed = re.findall(r"^\$ embed (\S+)(.*)$", GUIDES, re.MULTILINE) + re.findall(
        r"`embed ([a-z][\w-]*)( [^`]*)?`", GUIDES
    )
    assert len(typed) > 40
    for first, arguments in typed:
        two = " ".join([first, *arguments.split()[:1]])
        name = two if two in COMMANDS else first
        options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
        given = re.findall(r"(?<!\S)--?[a-z0][\w-]*", arguments.split("#")[0].split(" | ")[0])
        assert set(given) <= options, f"embed {name}{arguments}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name):
    assert COMMANDS[name].help
    assert f"\nembed {name}" in COMMANDS[name].help.replace("    ", "")


def test_the_command_reference_has_every_option_with_its_help():
    reference = HOOKS.command_reference()
    for name, command in COMMANDS.items():
        section = reference.split(f"### embed {name}\n")[1].split("\n##")[0]
        for parameter in command.params:
            if parameter.param_type_name == "option" and "--help" not in parameter.opts:
                assert all(f"`{option}`" in section for option in parameter.opts), (name, parameter.opts)
                assert parameter.help, (name, parameter.opts)


def test_every_public_name_is_in_the_reference():
    documented = set(re.findall(r"^::: embed\.(\w+)$", (DOCS / "api.md").read_text("utf-8"), re.MULTILINE))
    assert set(embed.__all__) <= documented


def test_every_public_name_leads_to_its_signature_for_the_type_checker():
    # PEP 562 hides the names from tools that do not run the code: they read the imports above it.
    source = (ROOT / "embed" / "__init__.py").read_text("utf-8")
    for name, module in embed._HOMES.items():
        assert re.search(rf"from {re.escape(module)} import .*\b{name}\b", source), name


def test_the_guide_to_python_is_true(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    demo.draw(Path("pictures"), train=3, test=1)
    text = (DOCS / "how-to" / "python.md").read_text("utf-8")
    example = doctest.DocTestParser().get_doctest(
        text, {"embed": embed, "np": np}, "python.md", "python.md", 0
    )
    output = []
    assert doctest.DocTestRunner().run(example, out=output.append).failed == 0, "".join(output)


def test_the_versions_agree():
    assert f'version = "{embed.__version__}"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_the_site_builds_without_warnings_and_needs_no_network(tmp_path):
    pytest.importorskip("mkdocs", reason="mkdocs is not installed: make docs installs it")
    site = tmp_path / "site"
    result = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", site],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert result.returncode == 0, result.stderr
    assert "WARNING" not in result.stderr
    reference = (site / "api.html").read_text("utf-8")
    for name in embed.__all__:
        assert f'id="embed.{name}"' in reference, name
    for page in site.rglob("*.html"):
        loaded = re.findall(r'<(?:script|img|iframe)[^>]+src="([^"]+)"', page.read_text("utf-8"))
        loaded += re.findall(r'<link[^>]+rel="stylesheet"[^>]+href="([^"]+)"', page.read_text("utf-8"))
        assert not [url for url in loaded if "//" in url], page
