"""The tests wait for a state, not for a time."""

import ast
from pathlib import Path

import pytest
from waiting import until

TESTS = Path(__file__).resolve().parents[1]


def sleeps(code: str) -> list[int]:
    """Return the lines that sleep outside of a loop, in Python code and in the code that its strings hold."""
    found = []

    def visit(node: ast.AST, in_loop: bool) -> None:
        in_loop = in_loop or isinstance(node, ast.While | ast.For)
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "sleep":
            if not in_loop:
                found.append(node.lineno)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "sleep(" in node.value:
            try:
                found.extend(node.lineno for _ in sleeps(node.value))
            except SyntaxError:  # a piece of code, or no code at all
                found.append(node.lineno)
        for child in ast.iter_child_nodes(node):
            visit(child, in_loop)

    visit(ast.parse(code), False)
    return found


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("time.sleep(1)", [1]),
        ("while not ready():\n    time.sleep(0.1)", []),
        ("x = 1\nrun('import time; time.sleep(600)')", [2]),
        ("run('while not ready(): time.sleep(0.1)')", []),
        ("def f():\n    sleep(2)", [2]),
    ],
)
def test_the_check_finds_a_sleep_that_nothing_ends(code, lines):
    assert sleeps(code) == lines


def test_every_sleep_stands_in_a_loop_that_polls():
    files = [path for path in TESTS.rglob("*.py") if path != Path(__file__).resolve()]
    assert len(files) > 40
    found = {
        str(path.relative_to(TESTS)): lines for path in files if (lines := sleeps(path.read_text("utf-8")))
    }
    assert found == {}


def test_waiting_ends_with_what_it_waited_for():
    counted = iter(range(5))
    assert until(lambda: next(counted) == 3, "three") is True
    with pytest.raises(AssertionError, match="in vain for nothing"):
        until(lambda: False, "nothing", seconds=0.05)
