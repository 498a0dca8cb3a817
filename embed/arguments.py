"""What is given to a public function is checked against its annotations, and told in a sentence where it cannot work."""

import inspect
import os
import reprlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin

from embed.errors import UsageError

P = ParamSpec("P")
R = TypeVar("R")

Seed = Annotated[int, range(1 << 32)]  # as NumPy and scikit-learn take it
Positive = Annotated[int, range(1, 1 << 63)]

WORDS = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Path: "a path",
    os.PathLike: "a path",
    Sequence: "a list",
    Iterable: "a list",
    Mapping: "a dictionary",
    NoneType: "None",
}  # type → what it is called; whatever else is annotated is left to who uses it


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function raise UsageError for an argument that is of another type than its annotation says."""
    signature = inspect.signature(function)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        _check(signature, signature.bind(*args, **kwargs).arguments)
        return function(*args, **kwargs)

    return call


def check(function: Callable[..., Any], given: Mapping[str, Any]) -> None:
    """Check some arguments of a function, by name, as `checked` does."""
    _check(inspect.signature(function), given)


def _check(signature: inspect.Signature, given: Mapping[str, Any]) -> None:
    for name, value in given.items():
        parameter = signature.parameters[name]
        if parameter.kind is not parameter.VAR_KEYWORD and not _fits(value, parameter.annotation):
            raise UsageError(f"must be {_words(parameter.annotation)}, not {reprlib.repr(value)}", name)


def _fits(value: Any, kind: Any) -> bool:
    form, of = _parts(kind)
    if form is Annotated:
        return _fits(value, of[0]) and value in of[1]
    if form is Union:
        return any(_fits(value, one) for one in of)
    if form is Literal:
        return isinstance(value, str) and value in of
    if form not in WORDS:
        return True
    if form in (int, float):
        number = Integral if form is int else Real
        return isinstance(value, number) and not isinstance(value, bool)
    if form is bool:
        return isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")  # that of NumPy, too
    if form in (Path, os.PathLike):
        return isinstance(value, os.PathLike)
    if form in (Sequence, Iterable):
        # Only what can be walked through again is.
        items = value if isinstance(value, (list, tuple)) else ()
        return _is_many(value) and all(_fits(item, of[0]) for item in items)
    if form is Mapping:
        return isinstance(value, Mapping) and all(_fits(item, of[1]) for item in value.values())
    return isinstance(value, form)


def _is_many(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, os.PathLike))


def _words(kind: Any) -> str:
    form, of = _parts(kind)
    if form is Annotated:
        return f"{_words(of[0])} from {of[1].start}" + (f" to {of[1][-1]}" if of[1].stop < 1 << 63 else "")
    if form is Literal:
        return " or ".join(map(repr, of))
    if form is not Union:
        return WORDS[form]
    words = dict.fromkeys(map(_words, of))
    if "a path" in words:
        words.pop("a text", None)
    return " or ".join(words)


def _parts(kind: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return what an annotation is, without what it holds, and what that is."""
    form = get_origin(kind) or (NoneType if kind is None else kind)
    if not isinstance(form, type) and form not in (Annotated, Union, Literal):
        form = None
    return Union if form is UnionType else form, get_args(kind)
