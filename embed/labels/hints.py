"""Where folders tell no classes apart, the names of the files may: cat.0.jpg, Abyssinian_12.jpg, 0001-ship.png."""

import re
from collections import Counter
from collections.abc import Sequence

from embed.labels import names

LOOKED_AT = 20_000  # files
MOST_OF = 0.9  # that have such a name
FEWEST = 4  # photographs of a class, on average
MOST_NAMED = 5  # classes in a sentence

_PATTERNS = (
    ("end in numbers after", r"([^/]+)[ ._-]\d+\.[^./]+$"),
    ("end in numbers after", r"([^/]*[^\W\d_])[ ._-]*\(?\d+\)?\.[^./]+$"),
    ("begin with numbers before", r"(?:^|/)\d+[ ._-]+([^/]*[^\W\d_][^/]*?)\.[^./]+$"),
)
# What cameras, phones and programs put before a number.
_NO_CLASS = re.compile(
    r"[\W_\d]*(?:img|dsc[fnp]?|dscn|p|pxl|mvi|vid|wa|gopr|dji|pict|pic|picture|image|images|photo|foto|bild|frame|scan|screenshot"
    r"|capture|file|sample|untitled|unnamed|[a-f\d]{8,})(?:[\W_\d]*(?:wa|e|hdr|pano|burst|mp|edit))*[\W_\d]*",
    re.IGNORECASE,
)


def of_files(paths: Sequence[str]) -> str | None:
    """Return a sentence on the classes that the names of files seem to say, with the rule that takes them, or None."""
    looked_at = paths[:: len(paths) // LOOKED_AT + 1]
    for how, pattern in _PATTERNS:
        found = [match[1] for path in looked_at if (match := re.search(pattern, path))]
        counts = Counter(found)
        if (
            len(counts) > 1
            and len(found) >= MOST_OF * len(looked_at)
            and len(found) >= FEWEST * len(counts)
            and sum(count for name, count in counts.items() if _says_none(name)) < (1 - MOST_OF) * len(found)
        ):
            shown = ", ".join(repr(name) for name, _ in counts.most_common(MOST_NAMED))
            more = f" and {len(counts) - MOST_NAMED} more" if len(counts) > MOST_NAMED else ""
            return (
                f"the folders tell no classes apart, but the names of the files {how} {len(counts)} words, {shown}{more}:"
                f" --labels 'regex:{pattern}' takes them as the classes"
            )
    return None


def _says_none(name: str) -> bool:
    """Return whether a name is none of a class."""
    no_letter = not re.search(r"[^\W\d_]", name)
    return no_letter or _NO_CLASS.fullmatch(name) is not None or names.parse(name) is not None
