"""What the names of folders say: splits, folds, samples, and folders that only hold what is in them."""

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass


def _words(text: str) -> list[str]:
    return text.split()


TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")

# Words that stand for a split, each with the split.
SPLIT_WORDS = {
    **dict.fromkeys(_words("train trains training trainings trn trainval"), TRAIN),
    **dict.fromkeys(
        _words("val vals valid valids validate validation validations validating dev development"), VALIDATION
    ),
    **dict.fromkeys(_words("test tests testing tst holdout holdouts heldout testdev devtest"), TEST),
    **dict.fromkeys(
        _words("eval evals evaluate evaluation evaluations evaluating"), "eval"
    ),  # test, or validation beside one
}
# Words that are classes as well: a railway, "valid" beside "invalid".
AMBIGUOUS = frozenset(_words("train trains valid dev eval"))
# Words beside a split's that say nothing more: train_images, testset, val_data_2017.
_FILLERS = _words(
    "sets? datas? datasets? images? imgs? img pictures? pics? photos? photographs? files? folders? dirs? splits? parts?"
    " jpe?gs? pngs? crops? cropped originals? final full labell?ed resized stg stage ver v cross x"
)
_SAMPLES = _words("samples? sampled examples? subset mini")
# Folders that are named for being there: "images" is no class.
_PLAIN = _words(
    "images? imgs? pictures? pics? photos? photographs? jpe?gs? jpegimages pngs? data datasets? files? frames? raw root all"
)
_UNLABELLED = _words("unlabell?ed unlab unsup unsupervised nolabels? unannotated unsorted unclassified")
_UNKNOWN = _words("unknown unk none na dummy")  # of a split whose other photographs have classes elsewhere
_BESIDE = _words(  # of folders beside the photographs that hold drawings of them
    "masks? labels? annotations? annots? ground truths? groundtruths? gts? segmentations? segs? depths? bboxes xmls?"
)
_FOLDS = _words("k folds? kfolds? cvs? splits? subsets?")

REMEMBERED = 1 << 14  # names

_JOINED = re.compile(r"\b(hold|held)[\W_]?out\b|(?<=_)(hold|held)[\W_]?out(?=_|\b)", re.IGNORECASE)
_TOKEN = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_a-zA-Z]+")


def _any(words: Iterable[str]) -> str:
    return "|".join(sorted(words, key=len, reverse=True))


_SPLIT = re.compile(rf"({_any(SPLIT_WORDS)})((?:{_any(_FILLERS)})*)")
_FILLER = re.compile(rf"(?:{_any(_FILLERS)})+|[0-9]+")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A name that has a word for a split in it.

    Parameters
    ----------
    split : str
        One of `SPLITS`, or "eval".
    rest : str
        What else the name says: the class in "train_cats", empty in "train_images".
    ambiguous : bool
        Whether the name is nothing but a word that classes are called, too.
    """

    split: str
    rest: str
    ambiguous: bool


@functools.lru_cache(REMEMBERED)
def parse(name: str) -> Parsed | None:
    """Return the split that a name stands for, whatever its case, or None."""
    joined = _JOINED.sub(lambda match: match[0].replace("-", "").replace("_", "").replace(" ", ""), name)
    tokens = list(_TOKEN.finditer(joined))
    splits: list[str] = []
    rest: list[re.Match[str]] = []
    for token in tokens:
        word = token[0].lower()
        found = _SPLIT.fullmatch(word)
        if found is not None:
            splits.append(SPLIT_WORDS[found[1]])
        elif not _FILLER.fullmatch(word):
            rest.append(token)
    split = _one_of(splits)
    if split is None:
        return None
    text = joined[rest[0].start() : rest[-1].end()] if rest else ""
    if any(_SPLIT.fullmatch(token[0].lower()) for token in _TOKEN.finditer(text)):
        text = "_".join(token[0] for token in rest)
    return Parsed(split, text, joined.lower() in AMBIGUOUS)


def _one_of(splits: list[str]) -> str | None:
    """Return the split that several words mean together: "train_val" trains, "test-dev" tests."""
    kinds = set(splits)
    if len(kinds) == 1:
        return splits[0]
    return {
        frozenset((TRAIN, VALIDATION)): TRAIN,
        frozenset((TEST, VALIDATION)): TEST,
        frozenset((TEST, "eval")): TEST,
        frozenset((VALIDATION, "eval")): VALIDATION,
    }.get(frozenset(kinds))


def split_named(text: str) -> str | None:
    """Return the split that a word in a table stands for, or None; "eval" is test."""
    found = parse(text)
    if found is None or found.rest:
        return None
    return TEST if found.split == "eval" else found.split


@functools.lru_cache(REMEMBERED)
def fold_word(name: str) -> str | None:
    """Return the word of a name that is a word for folds and a number, as "fold" of "fold_3", or None."""
    found = re.fullmatch(rf"({_any(_FOLDS)})[\W_]*(?:nr|no)?[\W_]*[0-9]+", name.lower())
    return None if found is None else found[1]


def _made_of(name: str, words: Iterable[str], *, fillers: bool = False) -> bool:
    pattern = re.compile(rf"(?:{_any([*words, *(_FILLERS if fillers else ())])})+|[0-9]+")
    tokens = [token[0].lower() for token in _TOKEN.finditer(name)]
    return bool(tokens) and not tokens[0].isdigit() and all(pattern.fullmatch(token) for token in tokens)


@functools.lru_cache(REMEMBERED)
def is_sample(name: str) -> bool:
    """Return whether a name says that a part of the photographs is shown there."""
    return not _made_of(name, _FILLERS) and _made_of(name, _SAMPLES, fillers=True)


@functools.lru_cache(REMEMBERED)
def is_plain(name: str) -> bool:
    """Return whether a name says only that there are photographs."""
    return _made_of(name, _PLAIN)


@functools.lru_cache(REMEMBERED)
def is_unlabelled(name: str) -> bool:
    """Return whether a name says that the photographs have no label."""
    return _made_of(name, _UNLABELLED, fillers=True) and not _made_of(name, _FILLERS)


@functools.lru_cache(REMEMBERED)
def is_unknown(name: str) -> bool:
    """Return whether a name is given where a class is missing."""
    return _made_of(name, _UNKNOWN)


@functools.lru_cache(REMEMBERED)
def is_beside(name: str) -> bool:
    """Return whether a name says that drawings of photographs are there, such as masks."""
    return _made_of(name, _BESIDE, fillers=True) and not _made_of(name, _FILLERS)
