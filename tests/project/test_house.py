"""The rooms of docs/design.md: what a module imports lies further down, and nothing goes in circles."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST_LINES = 400


def rooms():
    """Rooms from the top of the house to its bottom, as the table in the documentation lists them."""
    table = (ROOT / "docs" / "design.md").read_text("utf-8").split("## Rooms")[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)


def modules():
    """The modules of the package by name, each with its file."""
    files = sorted((ROOT / "embed").rglob("*.py"))
    return {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
        for file in files
    }


MODULES = modules()


def imports(body):
    """Every import, those inside functions too, but not those for the type checker alone."""
    for node in body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from imports(node.orelse)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports name the whole module"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        else:
            yield from imports(ast.iter_child_nodes(node))


def owner(name):
    """The module that a name of an import is in, or is; None where it is none of the package."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name or None


GRAPH = {
    name: {owner(found) for found in imports(ast.parse(file.read_text("utf-8")).body)} - {None, name, "embed"}
    for name, file in MODULES.items()
}


def reached(start):
    seen, todo = set(), [start]
    while todo:
        new = GRAPH[todo.pop()] - seen
        seen |= new
        todo += new
    return seen


def test_every_room_is_in_the_documentation():
    assert sorted(rooms()) == sorted({name.split(".")[1] for name in MODULES if "." in name})


@pytest.mark.parametrize("name", sorted(GRAPH))
def test_what_a_module_imports_lies_further_down(name):
    floor = {room: number for number, room in enumerate(rooms())}
    here = name.partition(".")[2].partition(".")[0]
    up = [other for other in GRAPH[name] if here and floor[other.split(".")[1]] < floor[here]]
    assert up == []


def test_no_modules_import_each_other():
    assert sorted(name for name in GRAPH if name in reached(name)) == []


def test_every_module_can_be_read_in_a_sitting():
    lines = {name: len(file.read_text("utf-8").splitlines()) for name, file in MODULES.items()}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_docstrings_have_one_convention():
    """Sections are underlined, as NumPy's are; those of other conventions end with a colon."""
    other = re.compile(r"^ +(Args|Attributes|Returns|Yields|Raises|:param \w+):", re.MULTILINE)
    assert [name for name, file in MODULES.items() if other.search(file.read_text("utf-8"))] == []
