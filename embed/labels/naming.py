"""The splits that a user names, as part of a rule: ``splits:train=spring,test=autumn;`` before the rest of it."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote

from embed.errors import UsageError
from embed.labels import query
from embed.labels.names import split_named
from embed.labels.words import SPLITS

SPLITS_PREFIX = "splits:"
NO_SPLITS = "none"


def with_splits(rule: str, splits: str | Mapping[str, str | Sequence[str]] | None) -> str:
    """Return a rule with the folders that are its splits.

    Parameters
    ----------
    rule : str
        As for `assign`.
    splits : str or mapping, optional
        ``"train=training,test=testing"`` or ``{"train": "training", "test": ["testing", "more"]}``: each split with the
        names, or the paths, of its folders. ``"none"`` or an empty mapping: there are none. By default the rule stays as
        it is: splits are recognised.

    Raises
    ------
    UsageError
        It does not say of each split which folder it is.
    """
    if splits is None:
        return rule
    pairs = _pairs(splits) if isinstance(splits, str) else _listed(splits)
    named = []
    roles: dict[str, str] = {}
    for role, folder in pairs:
        split = split_named(role)
        if split is None or not folder.strip("/"):
            raise UsageError(
                f"{role}={folder} is not understood; say which folder each split is, as in train=training,test=testing, or"
                f" none; the splits are {', '.join(SPLITS)}",
                "splits",
            )
        if roles.setdefault(folder.strip("/"), split) != split:
            raise UsageError(
                f"names the folder {folder!r} as {roles[folder.strip('/')]} and as {split}", "splits"
            )
        named.append(f"{split}={quote(folder.strip('/'), safe='/ ', errors='surrogateescape')}")
    where, conditioned = query.parted(rule)
    return query.with_where(f"{SPLITS_PREFIX}{','.join(named) or NO_SPLITS};{parted(conditioned)[1]}", where)


def _pairs(text: str) -> list[tuple[str, str]]:
    if text == NO_SPLITS:
        return []
    return [
        (role.strip(), folder.strip()) for role, _, folder in (one.partition("=") for one in text.split(","))
    ]


def _listed(splits: Mapping[str, str | Sequence[str]]) -> list[tuple[str, str]]:
    return [
        (role, folder)
        for role, folders in splits.items()
        for folder in ([folders] if isinstance(folders, str) else folders)
    ]


def parted(rule: str) -> tuple[str, str]:
    """Return what a rule says of splits, and the rest."""
    if not isinstance(rule, str) or not rule.startswith(SPLITS_PREFIX):
        return "", rule
    prefix, semicolon, rest = rule.partition(";")
    return prefix + semicolon, rest


def named_splits(prefix: str) -> dict[str, str] | None:
    """Return the splits that a rule names, by folder."""
    if not prefix:
        return None
    text = prefix.removeprefix(SPLITS_PREFIX).removesuffix(";")
    return {unquote(folder, errors="surrogateescape"): role for role, folder in _pairs(text)}
