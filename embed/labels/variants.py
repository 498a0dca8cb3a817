"""Classes whose names differ in their spelling only: Cat and cat, grizzly bear and grizzly_bear."""

import re
import unicodedata
from collections.abc import Sequence

MOST_NAMED = 3  # pairs in a sentence

_BETWEEN = re.compile(r"(?<=[^\W\d_])[\s_.-]+(?=\w)|(?<=\w)[\s_.-]+(?=[^\W\d_])")  # 1.5 stays 1.5
# What a file manager, or a download, adds to a second folder of a name.
_COPY = re.compile(
    r"\s*\(\d+\)$|[\s_]*-?[\s_]*(?:copy|copie|kopie|copia)(?:[\s_]*\(?\d+\)?)?$", re.IGNORECASE
)


def note(classes: Sequence[str]) -> str | None:
    """Return a sentence on the classes that differ in spelling only, or None where there are none.

    Parameters
    ----------
    classes : sequence of str
        Their names, each once.
    """
    alike: dict[str, list[str]] = {}
    for name in classes:
        alike.setdefault(_spelled(name), []).append(name)
    for name in classes:
        first = _COPY.sub("", name)
        others = alike.get(_spelled(first), []) if first != name and first else []
        if others and name not in others:
            others.append(name)
    groups = [names for names in alike.values() if len(names) > 1]
    if not groups:
        return None
    shown = "; ".join(" and ".join(map(_shown, names[:MOST_NAMED])) for names in groups[:MOST_NAMED])
    more = f"; and {len(groups) - MOST_NAMED} more" if len(groups) > MOST_NAMED else ""
    return (
        f"classes that differ in spelling only are taken as different ones: {shown}{more}. Where they are the same, spell them"
        " alike, in the names of the folders (embed extract then computes nothing again) or in the table"
    )


def _shown(name: str) -> str:
    """Return a name so that what is different about it can be seen."""
    composed = unicodedata.is_normalized("NFC", name)
    return repr(name) if composed else f"{name!r} (with combining accents)"


def _spelled(name: str) -> str:
    """Return what names that differ in case, blanks, underscores or the form of their letters have in common."""
    text = unicodedata.normalize("NFKC", name).casefold().strip()
    return _BETWEEN.sub("", unicodedata.normalize("NFC", text))
