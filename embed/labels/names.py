"""What the names of folders say: splits, folds, samples, and folders that only hold what is in them."""

import functools
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace

from embed.labels.words import (
    BACKGROUND,
    EVAL,
    FILLERS,
    GROUPS,
    NEWEST,
    TEST,
    TRAIN,
    VALIDATION,
    any_of,
    lexicon,
    plain,
    words,
)

_SAMPLES = words("samples? sampled examples? subset mini")
# Folders that are named for being there: "images" is no class.
_PLAIN = words(
    "images? imgs? pictures? pics? photos? photographs? jpe?gs? jpegimages pngs? data datasets? files? frames? raw root all"
)
_UNLABELLED = words("unlabell?ed unlab unsup unsupervised nolabels? unannotated unsorted unclassified")
_UNKNOWN = words("unknown unk none na dummy")  # of a split whose other photographs have classes elsewhere
_BESIDE = words(  # of folders beside the photographs that hold drawings of them
    "masks? labels? annotations? annots? ground truths? groundtruths? gts? segmentations? segs? depths? bboxes xmls?"
)
# The same, as a whole name: of a collection with outlines of what is on each photograph.
_SEGMENTATIONS = re.compile(
    r"segmentation[\W_]?(?:class|object|instance)(?:es|s)?(?:[\W_]?(?:aug|raw|visuali[sz]ation))?"
)
_FOLDS = words("k folds? kfolds? cvs? splits? subsets?")

REMEMBERED = 1 << 14  # names

_JOINED = re.compile(r"\b(hold|held)[\W_]?out\b|(?<=_)(hold|held)[\W_]?out(?=_|\b)", re.IGNORECASE)
_ELIDED = re.compile(r"(?<![^\W_])[dl]['\u2019]", re.IGNORECASE)  # the article in "d'entraînement"
_TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_a-zA-Z]+")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A name that has a word for a split in it.

    Parameters
    ----------
    split : str
        One of `words.SPLITS`, or `words.EVAL` or `words.BACKGROUND`, which depend on what is beside them.
    rest : str
        What else the name says: the class in "train_cats", empty in "train_images".
    ambiguous : bool
        Whether the name is nothing but a word that classes are called, too.
    """

    split: str
    rest: str
    ambiguous: bool

    def of(self, split: str) -> "Parsed":
        """Return it with another split."""
        return replace(self, split=split)


@functools.lru_cache(REMEMBERED)
def parse(name: str, version: int = NEWEST) -> Parsed | None:
    """Return the split that a name stands for, whatever its case, or None."""
    known = lexicon(version)
    if not known.accents:
        name = _ELIDED.sub("", unicodedata.normalize("NFC", name))
    joined = _JOINED.sub(lambda match: match[0].replace("-", "").replace("_", "").replace(" ", ""), name)
    bare = joined if known.accents else plain(joined)
    splits: list[str] = []
    rest: list[re.Match[str]] = []
    grounds: list[re.Match[str]] = []
    for token in _TOKEN.finditer(bare):
        word = token[0].lower()
        found = known.split.fullmatch(word)
        if found is not None and known.splits[found[1]] == BACKGROUND:
            grounds.append(token)
        elif found is not None:
            splits.append(known.splits[found[1]])
        elif not known.filler.fullmatch(word):
            rest.append(token)
    if grounds and splits:  # of a class, as in "train_background"
        rest = sorted([*rest, *grounds], key=re.Match.start)
    split = _one_of(splits or [BACKGROUND for _ in grounds])
    if split is None:
        return None
    span = slice(rest[0].start(), rest[-1].end()) if rest else slice(0)
    if any(known.split.fullmatch(token[0].lower()) for token in _TOKEN.finditer(bare[span])):
        text = "_".join(joined[token.start() : token.end()] for token in rest)
    else:
        text = joined[span]
    return Parsed(split, text, bare.lower() in known.ambiguous)


def _one_of(splits: list[str]) -> str | None:
    """Return the split that several words mean together: "train_val" trains, "test-dev" tests."""
    kinds = set(splits)
    if len(kinds) == 1:
        return splits[0]
    return {
        frozenset((TRAIN, VALIDATION)): TRAIN,
        frozenset((TEST, VALIDATION)): TEST,
        frozenset((TEST, EVAL)): TEST,
        frozenset((VALIDATION, EVAL)): VALIDATION,
    }.get(frozenset(kinds))


def split_named(text: str, *, part: bool = False) -> str | None:
    """Return the split that a word in a table stands for, or None; "eval" is test.

    Parameters
    ----------
    text : str
    part : bool
        Whether it may be one of a part of a split, such as "PublicTest".
    """
    found = parse(text)
    if found is None or (found.rest and not part) or found.split == BACKGROUND:
        return None
    return TEST if found.split == EVAL else found.split


@functools.lru_cache(REMEMBERED)
def fold_word(name: str) -> str | None:
    """Return the word of a name that is a word for folds and a number, as "fold" of "fold_3", or None."""
    found = re.fullmatch(rf"({any_of(_FOLDS)})[\W_]*(?:nr|no)?[\W_]*[0-9]+", name.lower())
    return None if found is None else found[1]


def _made_of(name: str, words: Iterable[str], *, fillers: bool = False) -> bool:
    pattern = re.compile(rf"(?:{any_of([*words, *(FILLERS if fillers else ())])})+|[0-9]+")
    tokens = [token[0].lower() for token in _TOKEN.finditer(name)]
    return bool(tokens) and not tokens[0].isdigit() and all(pattern.fullmatch(token) for token in tokens)


@functools.lru_cache(REMEMBERED)
def is_sample(name: str) -> bool:
    """Return whether a name says that a part of the photographs is shown there."""
    return not _made_of(name, FILLERS) and _made_of(name, _SAMPLES, fillers=True)


@functools.lru_cache(REMEMBERED)
def is_plain(name: str) -> bool:
    """Return whether a name says only that there are photographs."""
    return _made_of(name, _PLAIN)


@functools.lru_cache(REMEMBERED)
def is_unlabelled(name: str) -> bool:
    """Return whether a name says that the photographs have no label."""
    return _made_of(name, _UNLABELLED, fillers=True) and not _made_of(name, FILLERS)


@functools.lru_cache(REMEMBERED)
def is_unknown(name: str) -> bool:
    """Return whether a name is given where a class is missing."""
    return _made_of(name, _UNKNOWN)


@functools.lru_cache(REMEMBERED)
def is_beside(name: str, version: int = NEWEST) -> bool:
    """Return whether a name says that drawings of photographs are there, such as masks."""
    if version >= GROUPS and _SEGMENTATIONS.fullmatch(name.lower()):
        return True
    return _made_of(name, _BESIDE, fillers=True) and not _made_of(name, FILLERS)
