"""Names of feature sets: ``<data folder>--<backbone>-<first eight digits of the recipe hash>``."""

import os
import unicodedata

from embed.cache.recipe import Recipe
from embed.errors import UsageError

NAME_BYTES = 120  # of the name of a data folder, at most, in the name of a feature set
FORBIDDEN = frozenset('/\\:*?"<>|')  # somewhere: a cache may lie on any file system
DEVICES = frozenset(
    ["con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(1, 10))]
)


def folder_names(dataset: str, recipe: Recipe) -> tuple[str, str]:
    """Return what the folder of a set of this data folder and recipe starts with, and what it ends with."""
    safe = "".join("_" if c in "/\\" or (not c.isprintable() and not _is_byte(c)) else c for c in dataset)
    encoded = os.fsencode(safe).lstrip(b".")[:NAME_BYTES] or b"data"
    return os.fsdecode(encoded), f"--{recipe.backbone}-{recipe.hash[:8]}"


def comparable(name: str) -> str:
    """Return what is the same for two names that some file system takes for one: case and Unicode forms do not count."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


def check_name(name: str) -> str:
    """Return a name that the user gives to the data set, or to the whole feature set.

    Raises
    ------
    UsageError
        No file system, or not every one, has files of that name.
    """
    size = len(name.encode(errors="surrogateescape"))
    bad = next((c for c in name if c in FORBIDDEN or not c.isprintable()), None)
    problem = None
    if not name.strip():
        problem = "is empty"
    elif bad is not None:
        problem = f"contains {bad!r}"
    elif name[0] in ".- " or name[-1] in ". ":
        problem = "begins with '.', '-' or a space, or ends with '.' or a space"
    elif name.partition(".")[0].casefold() in DEVICES:
        problem = "is reserved on Windows"
    elif size > NAME_BYTES:
        problem = f"has {size} bytes, and {NAME_BYTES} are allowed"
    if problem:
        raise UsageError(f"{name!r} cannot name a feature set: it {problem}; give another one", "name")
    return name


def _is_byte(character: str) -> bool:
    return "\udc80" <= character <= "\udcff"
