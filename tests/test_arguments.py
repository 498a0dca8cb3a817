"""What cannot work is told in a sentence that names the parameter, whatever was given."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

import embed
from embed.arguments import Positive, Seed, checked
from embed.errors import UsageError
from embed.learn.dense import DenseClassifier


@checked
def take(
    whole: int = 1,
    part: float | Literal["auto"] | None = None,
    names: str | Sequence[str] = (),
    flag: bool = False,
    place: str | Path = "",
    files: Iterable[Path] = (),
    roles: str | Mapping[str, str | Sequence[str]] | None = None,
    seed: Seed = 0,
    rows: Positive = 1,
    other: "Iterable[Nobody]" = (),  # noqa: F821  what only a type checker knows is not checked
    **more: Any,
) -> None:
    """Take anything."""


@pytest.mark.parametrize(
    "given",
    [
        {"whole": np.int64(3)},
        {"part": 1},
        {"part": np.float32(0.5)},
        {"part": "auto"},
        {"names": "one"},
        {"names": ["one", "two"]},
        {"names": np.array(["one"])},
        {"flag": np.True_},
        {"place": Path("x")},
        {"files": iter([Path("x")])},
        {"roles": {"train": "a", "test": ["b", "c"]}},
        {"seed": np.uint32(4)},
        {"rows": 1},
        {"other": 3},
        {"more": object()},
    ],
    ids=lambda given: next(iter(given)),
)
def test_what_fits_its_annotation_is_taken(given):
    take(**given)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"whole": "3"}, "whole must be a whole number, not '3'"),
        ({"whole": 2.5}, "whole must be a whole number, not 2.5"),
        ({"whole": True}, "whole must be a whole number, not True"),
        ({"part": "half"}, "part must be a number or 'auto' or None, not 'half'"),
        ({"names": [3]}, "names must be a text or a list, not [3]"),
        ({"flag": "no"}, "flag must be True or False, not 'no'"),
        ({"place": 3}, "place must be a path, not 3"),
        ({"seed": -1}, "seed must be a whole number from 0 to 4294967295, not -1"),
        ({"seed": "x"}, "seed must be a whole number from 0 to 4294967295, not 'x'"),
        ({"rows": 0}, "rows must be a whole number from 1, not 0"),
        ({"files": "photo.jpg"}, "files must be a list, not 'photo.jpg'"),
        ({"roles": ["train"]}, "roles must be a text or a dictionary or None, not ['train']"),
        ({"roles": {"train": 3}}, "roles must be a text or a dictionary or None, not {'train': 3}"),
    ],
    ids=str,
)
def test_what_does_not_is_told_with_its_name(given, words):
    with pytest.raises(UsageError) as raised:
        take(**given)
    assert str(raised.value) == words


def test_a_parameter_that_is_not_known_is_a_fault_of_the_program():
    with pytest.raises(TypeError, match="argument"):
        embed.open(two=2)


@pytest.mark.parametrize(
    ("call", "parameter"),
    [
        (lambda: embed.open(3), "cache"),
        (lambda: embed.open("cache", splits=["train"]), "splits"),
        (lambda: embed.extract_features(3), "data"),
        (lambda: embed.extract_features("x", size="large"), "size"),
        (lambda: embed.extract_features("x", backbone=None), "backbone"),
        (lambda: embed.extract_features("x", exclude="drafts"), "exclude"),
        (lambda: embed.ImageFeatures(3).fit(None), "backbone"),
        (lambda: embed.ImageFeatures(size="large").fit(None), "size"),
        (lambda: DenseClassifier(hidden="large"), "hidden"),
        (lambda: DenseClassifier(random_state=-1), "random_state"),
    ],
)
def test_the_doors_of_the_library_check_what_they_are_given(call, parameter):
    with pytest.raises(UsageError) as raised:
        call()
    assert raised.value.parameter == parameter
