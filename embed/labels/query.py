"""Which photographs a condition on the columns of a table asks for, as ``site == 'A' and year >= 2020``.

It reads as a pandas query does, but nothing is handed to pandas or to Python to evaluate: a condition may come with a model
from elsewhere. It is parsed, and only comparisons, ``and``, ``or``, ``not``, ``in``, arithmetic, constants and the names of
columns (between backticks, where they are no word) mean something.
"""

import ast
import keyword
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import quote, unquote

import numpy as np
from numpy.typing import NDArray

from embed.errors import UsageError

LONGEST = 10_000  # characters
SHOWN = 80  # characters of a condition in a message
NAMED_AT_MOST = 12  # columns and values in a message
MISSING = frozenset(("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None", "<NA>"))  # among numbers: none
TRUTH = {"true": True, "false": False}
_RULE = re.compile(r"(splits:[^;]*;)?where:([^;]*);(.*)", re.DOTALL)
_TOKEN = re.compile(r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"|`([^`]*)`|(&+|\|+|@)|(?<![\w.])([a-z]+)(?!\w)")
_OPERATORS = frozenset(("and", "or", "not", "in", "is"))
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")

Kind = Literal["number", "text", "truth"]
COMPARED: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
CALCULATED: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
REFUSED: dict[type[ast.AST], str] = {
    ast.Call: "the call of a function",
    ast.Attribute: "a point after a name",
    ast.Subscript: "square brackets after a name",
    ast.Lambda: "a function",
    ast.JoinedStr: "a text that is computed",
    ast.NamedExpr: "an assignment",
    ast.Pow: "a power",
}


def with_where(rule: str, where: str | None) -> str:
    """Return a rule that labels only the photographs that a condition asks for.

    Parameters
    ----------
    rule : str
        As for `embed.labels.assign`.
    where : str, optional
        The condition; without one the rule stays as it is.
    """
    if where is None:
        return rule
    return f"where:{quote(where, safe=' =<>!()[],._+-*/`', errors='surrogateescape')};{parted(rule)[1]}"


def parted(rule: str) -> tuple[str | None, str]:
    """Return the condition of a rule, or None, and the rule without it."""
    found = (
        _RULE.fullmatch(rule) if isinstance(rule, str) else None
    )  # whoever reads it refuses what is no text
    if found is None:
        return None, rule
    return unquote(found[2], errors="surrogateescape"), (found[1] or "") + found[3]


@dataclass(frozen=True)
class _Value:
    """What an expression comes to: a value of each row, or one of all."""

    kind: Kind
    values: Any
    column: str | None = None  # whose values they are
    constant: bool = False


def asked(
    text: str, columns: Mapping[str, NDArray[np.object_]], known: Mapping[str, NDArray[np.object_]]
) -> NDArray[np.bool_]:
    """Return which photographs a condition asks for, bool ndarray of shape (n,).

    A column of numbers is compared as numbers, any other as text; a cell without a value is no number, and the text ''. A
    photograph that has no row in the table is not asked for where a column of the table is named.

    Parameters
    ----------
    text : str
        The condition.
    columns : mapping of str to ndarray of shape (n,)
        Of the table, str; None for a photograph that has no row.
    known : mapping of str to ndarray of shape (n,)
        What is known without a table, str or None: path, label, split.

    Raises
    ------
    UsageError
        It is no such condition, or no photograph is as it says.
    """
    evaluated = _Evaluated(text, columns, known)
    rows = evaluated.rows()
    if not rows.any():
        raise UsageError(
            f"{_short(text)} asks for none of {len(rows)} photographs{evaluated.examples()}", "where"
        )
    return rows


class _Evaluated:
    """One condition on the columns of one table."""

    def __init__(
        self, text: str, columns: Mapping[str, NDArray[np.object_]], known: Mapping[str, NDArray[np.object_]]
    ) -> None:
        self._text = text
        self._columns, self._all = columns, {**known, **columns}
        self._names: dict[str, str] = {}  # stand-ins for what is between backticks, and for words of Python
        self._reserved = {
            name.casefold() for name in self._all if keyword.iskeyword(name.casefold())
        } - _OPERATORS
        self._used: dict[str, str] = {}
        self._tree = self._parse()
        self._find_names()
        self._there = np.ones(len(next(iter(self._all.values()))), bool)
        for name in self._used.values():
            if name in columns:
                self._there &= np.array([value is not None for value in columns[name]], bool)

    def rows(self) -> NDArray[np.bool_]:
        """Return which photographs are asked for."""
        try:
            with np.errstate(all="ignore"):
                found = self._truth(self._tree)
        except (RecursionError, MemoryError, OverflowError):
            raise UsageError(f"{_short(self._text)} is too long or too deep", "where") from None
        rows = np.zeros(len(self._there), bool)
        rows[self._there] = found
        return rows

    def examples(self) -> str:
        """Return what the columns that it names hold, in words."""
        told = []
        for name in self._used.values():
            values = sorted({value for value in self._all[name] if value})
            some = ", ".join(map(repr, values[:NAMED_AT_MOST])) + (
                ", ..." if len(values) > NAMED_AT_MOST else ""
            )
            told.append(f"{name!r} is {some or 'empty'}")
        return f"; {'; '.join(told)}" if told else ""

    # From text to a tree.

    def _parse(self) -> ast.expr:
        if len(self._text) > LONGEST:
            raise UsageError(f"has {len(self._text):,} characters; {LONGEST:,} are the most", "where")

        def replaced(token: "re.Match[str]") -> str:
            # A column may be called "class", as labels are, or "from", which Python keeps for itself.
            word = token[3] if token[3] in self._reserved else None
            if token[1] is not None or word is not None:
                stand_in = f"_column_{len(self._names)}_"
                self._names[stand_in] = token[1] if word is None else word
                return f" {stand_in} "
            if token[2] is not None:
                if token[2] == "@":
                    raise self._refused("an @, which would name something outside of the table")
                return " and " if token[2][0] == "&" else " or "  # as pandas reads them
            return token[0]

        try:
            return ast.parse(_TOKEN.sub(replaced, self._text).strip(), mode="eval").body
        except SyntaxError as error:
            raise UsageError(
                f"{_short(self._text)} cannot be read ({error.msg}); it is as in \"site == 'A' and year >= 2020\";"
                " a column whose name is no word stands between backticks",
                "where",
            ) from None
        except (ValueError, RecursionError, MemoryError):
            raise UsageError(f"{_short(self._text)} is too long or too deep, or no text", "where") from None

    def _refused(self, what: str) -> UsageError:
        return UsageError(
            f"{_short(self._text)} holds {what}; it may hold comparisons, and, or, not, in, arithmetic, numbers, text in"
            " quotes and the names of columns",
            "where",
        )

    def _find_names(self) -> None:
        for node in ast.walk(self._tree):
            if not isinstance(node, ast.Name):
                continue
            name = self._names.get(node.id, node.id)
            alike = (
                [name]
                if name in self._all
                else [one for one in self._all if one.casefold() == name.casefold()]
            )
            if len(alike) != 1:
                there = ", ".join(map(repr, list(self._all)[:NAMED_AT_MOST]))
                more = ", ..." if len(self._all) > NAMED_AT_MOST else ""
                raise UsageError(
                    f"{_short(self._text)} names {name!r}, which is no column; the columns are {there}{more}. Text needs"
                    " quotes, and a name that is no word backticks",
                    "where",
                )
            self._used[node.id] = alike[0]
        if not self._used:
            for node in ast.walk(self._tree):
                if type(node) in REFUSED:
                    raise self._refused(REFUSED[type(node)])
            raise UsageError(f"{_short(self._text)} names no column", "where")

    # From a tree to values.

    def _truth(self, node: ast.expr) -> Any:
        """Return where an expression is true."""
        if isinstance(node, ast.BoolOp):
            combine = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            return combine.reduce([self._truth(value) for value in node.values])
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.Invert)):
            return ~self._truth(node.operand)
        if isinstance(node, ast.Compare):
            operands = [node.left, *node.comparators]
            pairs = zip(operands, node.ops, operands[1:], strict=False)
            return np.logical_and.reduce([self._compared(left, op, right) for left, op, right in pairs])
        value = self._value(node)
        if value.kind == "truth" and not value.constant:
            return value.values
        if value.kind == "number" and value.column and {*np.unique(value.values)} <= {0, 1}:
            return value.values == 1
        raise UsageError(f'{_short(self._text)} compares nothing; it is as in "year >= 2020"', "where")

    def _compared(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> NDArray[np.bool_]:
        if isinstance(op, (ast.In, ast.NotIn)):
            if not isinstance(right, (ast.List, ast.Tuple, ast.Set)):
                raise UsageError(
                    f"{_short(self._text)}: after in stands a list, as in \"site in ['A', 'B']\"", "where"
                )
            found = self._nowhere()
            for one in right.elts:
                found |= self._compared(left, ast.Eq(), one)
            return ~found if isinstance(op, ast.NotIn) else found
        compare = COMPARED.get(type(op))
        if compare is None:
            raise self._refused("a comparison with is; write ==")
        a, b = self._alike(
            self._value(left), self._value(right), ordered=not isinstance(op, (ast.Eq, ast.NotEq))
        )
        return np.asarray(compare(a, b), bool) & ~self._nowhere()

    def _nowhere(self) -> NDArray[np.bool_]:
        return np.zeros(int(self._there.sum()), bool)

    def _alike(self, a: _Value, b: _Value, *, ordered: bool) -> tuple[Any, Any]:
        """Return two values as ones that can be compared."""
        if a.kind == b.kind:
            return a.values, b.values
        for one, other in ((a, b), (b, a)):
            if other.kind != "text":
                continue
            if other.constant and ordered and one.kind == "number":
                number = _number(other.values)
                if number is not None:
                    return (a.values, number) if other is b else (number, b.values)
            elif one.column is not None and not ordered:  # '01' is asked for as it is in the file
                text = self._cells(one.column)
                return (text, b.values) if one is a else (a.values, text)
        if {a.kind, b.kind} == {"number", "truth"}:
            return a.values, b.values
        column = next((value for value in (a, b) if value.column is not None and value.kind == "text"), None)
        if column is not None:
            cell = next(
                (value for value in column.values if value not in MISSING and _number(value) is None), ""
            )
            why = (
                f"the column {column.column!r} holds {cell!r}"
                if cell
                else f"the column {column.column!r} holds no number"
            )
            raise UsageError(
                f"{_short(self._text)} compares text with numbers: {why}; put text in quotes", "where"
            )
        raise UsageError(f"{_short(self._text)} compares text with numbers", "where")

    def _value(self, node: ast.expr) -> _Value:
        if isinstance(node, ast.Name):
            return self._of_column(self._used[node.id])
        if isinstance(node, ast.Constant):
            kinds: dict[type, Kind] = {bool: "truth", int: "number", float: "number", str: "text"}
            if type(node.value) not in kinds:
                raise self._refused(
                    "None; a cell without a value is ''" if node.value is None else "such a constant"
                )
            return _Value(kinds[type(node.value)], node.value, constant=True)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
            value = self._numbers(node.operand)
            return _Value(
                "number",
                -value.values if isinstance(node.op, ast.USub) else value.values,
                constant=value.constant,
            )
        if isinstance(node, ast.BinOp):
            calculate = CALCULATED.get(type(node.op))
            if calculate is None:
                raise self._refused(REFUSED.get(type(node.op), "an operation on bits"))
            # Floating point throughout: whole numbers would grow without end.
            a, b = (np.asarray(self._numbers(one).values, float) for one in (node.left, node.right))
            return _Value("number", calculate(a, b))
        raise self._refused(REFUSED.get(type(node), "what is no part of a comparison"))

    def _numbers(self, node: ast.expr) -> _Value:
        value = self._value(node)
        if value.kind != "number":
            what = f"the column {value.column!r}, which is no numbers" if value.column else repr(value.values)
            raise UsageError(f"{_short(self._text)} calculates with {what}", "where")
        return value

    def _cells(self, name: str) -> NDArray[np.object_]:
        """Return a column as text; '' is a cell without a value."""
        cells = self._all[name][self._there]
        return np.array(["" if cell is None else cell for cell in cells], object)

    def _of_column(self, name: str) -> _Value:
        cells = self._cells(name)
        words = {*cells}
        numbers = {word: _number(word) for word in words if word not in MISSING}
        if numbers and all(number is not None for number in numbers.values()):
            if len(numbers) == len(words) and all(_WHOLE.fullmatch(word) for word in words):
                return _Value("number", np.array([int(cell) for cell in cells], np.int64), name)
            return _Value("number", np.array([numbers.get(cell, np.nan) for cell in cells], float), name)
        if numbers and all(word.lower() in TRUTH for word in numbers):
            return _Value("truth", np.array([TRUTH.get(cell.lower(), False) for cell in cells], bool), name)
        return _Value("text", cells, name)


def _number(text: str) -> float | None:
    """Return the number that a cell is, or None."""
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", text):
        return None
    return float(text)


def _short(text: str) -> str:
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 3] + "...")
