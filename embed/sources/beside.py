"""What lies beside a photograph in an archive and says something of it, in WebDataset's layout.

The files of one photograph have the same path up to the first dot of their name: ``0001.jpg``, ``0001.cls`` with its class,
``0001.json`` with an object, ``0001.txt`` with a line of text.
"""

import json
from collections.abc import Iterable, Mapping

from embed.sources.source import LABEL, TEXT

KINDS = ("cls", "json", "txt")
MOST_BYTES = 64 << 10
MOST_COLUMNS = 64
LONGEST = 200  # characters of a value


class Beside:
    """Collects what lies beside photographs while an archive is being listed."""

    def __init__(self) -> None:
        self._said: dict[str, dict[str, str]] = {}

    def wants(self, name: str, size: int) -> bool:
        """Return whether a file may say something."""
        return _parted(name)[1] in KINDS and size <= MOST_BYTES

    def put(self, name: str, data: bytes | str) -> None:
        """Take in what a file says; nothing where it cannot be understood."""
        if isinstance(data, str):
            return
        key, kind = _parted(name)
        text = data.decode("utf-8-sig", "replace").strip()
        said = self._said.setdefault(key, {})
        if kind == "json":
            said |= {name: value for name, value in _object(text).items() if name not in said}
        elif text:
            said[LABEL if kind == "cls" else TEXT] = text.splitlines()[0][:LONGEST]

    def of(self, names: Iterable[str]) -> dict[str, Mapping[str, str]]:
        """Return what was said of each photograph."""
        found = ((name, self._said.get(_parted(name)[0])) for name in names)
        return {name: dict(said) for name, said in found if said}


def _parted(name: str) -> tuple[str, str]:
    """Return what a name shares with those of its photograph, and the rest in lower case."""
    folder, slash, file = name.rpartition("/")
    stem, _, kind = file.partition(".")
    return f"{folder}{slash}{stem}", kind.lower()


def _object(text: str) -> dict[str, str]:
    """Return the plain values of a JSON object as text."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    plain = {
        str(key)[:LONGEST]: (str(value).lower() if isinstance(value, bool) else str(value).strip())[:LONGEST]
        for key, value in document.items()
        if isinstance(value, (str, int, float)) and str(value).strip()
    }
    return dict(list(plain.items())[:MOST_COLUMNS])
