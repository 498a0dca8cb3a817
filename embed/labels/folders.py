"""Version 1 of the rule "folder": the first folder is the label, and a split only by one of five names."""

from collections.abc import Sequence

SPLIT_FOLDERS = {
    "train": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
}  # name of the first folder, in lower case → the split it stands for


def split_of(path: str) -> str | None:
    """Return the split that the first folder of a path stands for, or None."""
    first, slash, _ = path.partition("/")
    return SPLIT_FOLDERS.get(first.lower()) if slash else None


def by_folder(paths: Sequence[str]) -> tuple[list[str | None], list[str | None]]:
    """Return the label and the split of every path.

    Parameters
    ----------
    paths : sequence of str
        Relative to the data folder, with "/" between folders.

    Returns
    -------
    labels : list of str or None
        The first folder, or the one below it where the first is a split; None for a photograph in no folder.
    splits : list of str or None
    """
    # A class may be called "train" (of a railway): the first folder is a split only where class folders lie in
    # such folders.
    divided = any(path.count("/") >= 2 and split_of(path) for path in paths)
    known: dict[str, tuple[str | None, str | None]] = {}  # what a folder stands for
    for path in paths:
        folder = path.rpartition("/")[0]
        if folder not in known:
            split = split_of(path) if divided else None
            below = folder.split("/")[1:] if split else folder.split("/")
            known[folder] = (below[0] or None if below else None), split
    both = [known[path.rpartition("/")[0]] for path in paths]
    return [label for label, _ in both], [split for _, split in both]
