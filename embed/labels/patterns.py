"""What the one group of a regular expression captures in a path, within limits of time and memory.

A pattern may come with a model from elsewhere, so none may run for ever or fill the memory. The `regex` package stops a
match after a given time, in any thread.
"""

import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from embed.errors import UsageError

if TYPE_CHECKING:
    import regex

SECONDS = 10.0  # for all paths together
MOST_COPIES = 4_000_000  # characters that a pattern may be written out to: about 200 MB once compiled


def by_pattern(paths: Sequence[str], text: str, parameter: str = "labels") -> list[str | None]:
    """Return what the group of a pattern captures in every path, or None.

    It is searched for in the path and, where it is not found there, in the path with a "/" before it.

    Parameters
    ----------
    paths : sequence of str
        Relative to the data folder, with "/" between folders.
    text : str
        Regular expression with one group.
    parameter : str
        The parameter that it was given for.

    Raises
    ------
    UsageError
        It is no usable pattern, or takes too long.
    """
    pattern = _compile(text, parameter)
    found: list[str | None] = []
    end = time.monotonic() + SECONDS
    try:
        for path in paths:
            match = None
            for subject in (path, "/" + path):
                # A timeout of 0 or less would mean none.
                match = match or pattern.search(subject, timeout=max(end - time.monotonic(), 1e-6))
            found.append(match.group(1) or None if match else None)
    except TimeoutError:
        raise UsageError(
            f"has a pattern that was not done after {SECONDS:g} s, {text!r}: it repeats a repetition; make it simpler",
            parameter,
        ) from None
    return found


def _compile(text: str, parameter: str) -> "regex.Pattern[str]":
    import regex

    pattern, problem = None, ""
    if _copies(text) > MOST_COPIES:
        problem = "repeats too much; count less"
    if regex.search(r"\(\?[a-zA-Z0-9]*x", text):  # blanks in a count would hide it
        problem = "has the flag x; write it without"
    try:
        pattern = None if problem else regex.compile(text)
    except (RecursionError, MemoryError, OverflowError):
        problem = "is nested too deeply; make it simpler"
    except regex.error as error:
        problem = f"is no regular expression: {error}"
    if pattern is None:
        raise UsageError(f"has a pattern that cannot be used: {_short(text)} {problem}", parameter)
    if pattern.groups != 1:
        raise UsageError(
            f"has the pattern {_short(text)} with {pattern.groups} groups; put exactly one pair of parentheses around"
            " what counts and write (?:...) for any other",
            parameter,
        )
    return pattern


def _copies(text: str) -> int:
    """Return how many characters a pattern is written out to, or more.

    The least count of a repetition is compiled into so many copies of what it repeats, and those of groups multiply.
    """
    once, nested = len(text), 1
    for before, count in re.findall(r"(?<=(.))(?:\+|\{([0-9]+))", text, re.DOTALL):
        times = int(count[:10] or 1) + 1
        if before in ")}":
            nested *= times
        else:
            once += times
    return once * nested


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
