"""Which network, and which recipe: several side by side on a sample of the user's own photographs."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed import backbones, images
from embed.backbones import Network
from embed.cache import FeatureCache
from embed.errors import UsageError
from embed.extract import FeatureOptions, RunOptions, sample
from embed.extract import Progress as Extracting
from embed.labels import Labels
from embed.learn import groups as together
from embed.learn import splits
from embed.learn.drawn import draw
from embed.learn.evaluation import Evaluation, wilson_interval
from embed.learn.protocol import check_classifier
from embed.learn.trainer import FitOptions, Progress, Trainer

PLAIN = "plain"  # a recipe that changes nothing
FOLDS = 5
DEVIATIONS = 1.96  # standard deviations on either side of a 95 % interval
AS_FAST = 0.9  # of the speed of the fastest: as fast, where a measured speed varies by some percent


@dataclass(frozen=True)
class Candidate:
    """A network and a recipe, judged on a sample.

    Attributes
    ----------
    backbone, recipe : str
        As they were asked for.
    n : int
        Photographs scored; the same ones for every candidate.
    accuracy, low, high : float
        The share that was right in a cross-validation, with Wilson's 95 % interval.
    difference, difference_low, difference_high : float
        Of the accuracy to that of the best one, with its 95 % interval: the two answered about the same photographs.
    photographs_per_second : float
        Computed from their files on this machine.
    dimension, bytes : int
        Features, and bytes on disk, of a photograph.
    cheapest : bool
        Whether it is the fastest of those that are not shown to be worse than the best; of those as fast, the smallest.
    """

    backbone: str
    recipe: str
    n: int
    accuracy: float
    low: float
    high: float
    difference: float
    difference_low: float
    difference_high: float
    photographs_per_second: float
    dimension: int
    bytes: int
    cheapest: bool = False

    @property
    def worse(self) -> bool:
        """Whether it is shown to be worse than the best."""
        return self.difference_high < 0


@dataclass(frozen=True)
class NetworksCompared:
    """Networks and recipes side by side.

    Attributes
    ----------
    candidates : list of Candidate
        The most accurate first.
    impossible : list of (str, str, str)
        What cannot be: backbone, recipe and the reason.
    photographs : int
        In the sample.
    of : int
        Photographs that could have been drawn.
    seed : int
    record : Path
        The file that says which photographs they are.
    """

    candidates: list[Candidate]
    impossible: list[tuple[str, str, str]]
    photographs: int
    of: int
    seed: int
    record: Path

    @property
    def cheapest(self) -> Candidate:
        """The fastest of those that are not shown to be worse than the best."""
        return next(one for one in self.candidates if one.cheapest)

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``embed compare DATA --json`` prints."""
        return {
            "sample": {
                "photographs": self.photographs,
                "of": self.of,
                "seed": self.seed,
                "record": str(self.record),
            },
            "candidates": [asdict(one) for one in self.candidates],
            "impossible": [
                dict(zip(("backbone", "recipe", "reason"), one, strict=True)) for one in self.impossible
            ],
            "cheapest": {"backbone": self.cheapest.backbone, "recipe": self.cheapest.recipe},
        }


def features_of(backbone: str, recipe: str, preprocess: str | None = None) -> FeatureOptions:
    """Return what a network and a recipe such as ``288+grid+mirror`` ask to compute.

    Parameters
    ----------
    backbone : str
    recipe : str
        In any order, joined by "+": a size in pixels, a pooling, mirror, how a photograph becomes square (stretch, crop, pad), the
        arithmetic (float32, bf16, fp16); "plain" changes nothing.
    preprocess : str, optional
        For a network in a file.

    Raises
    ------
    UsageError
        A word is not known, or said twice.
    """
    network: dict[str, Any] = {"preprocess": preprocess if backbones.is_file(backbone) else None}
    options: dict[str, Any] = {}
    for word in [] if recipe == PLAIN else recipe.split("+"):
        where, key, value = (
            (network, "size", int(word)) if word.isascii() and word.isdigit() and len(word) < 6
            else (network, "pooling", word) if word in (*backbones.POOLINGS, "mean")
            else (network, "mirror", True) if word == "mirror"
            else (options, "fit", word) if word in images.FITS
            else (options, "precision", word) if word in backbones.PRECISIONS
            else (None, "", "")
        )  # fmt: skip
        if where is None:
            raise UsageError(
                f"{word!r} of {recipe!r} is not known; a recipe is {PLAIN}, or made of a size in pixels, "
                f"{', '.join(backbones.POOLINGS)}, mirror, {', '.join(images.FITS)}, bf16, fp16, joined by +",
                "recipes",
            )
        if where.get(key) is not None:
            raise UsageError(f"{recipe!r} says twice what {word!r} says", "recipes")
        where[key] = value
    return FeatureOptions(network=Network(backbone, **network), **options)


def compare_networks(
    data: Path,
    cache: Path,
    names: Sequence[str],
    recipes: Sequence[str] = (PLAIN,),
    size: int = 2000,
    options: FitOptions | None = None,
    *,
    preprocess: str | None = None,
    run: RunOptions | None = None,
    tell: Progress = lambda what, done, total: None,
    progress: Callable[[Extracting], None] = lambda _: None,
) -> NetworksCompared:
    """Compute a sample with every network and recipe, and judge each by cross-validation on the same folds.

    The sample is drawn by content among the photographs that have a label and lie in no test folder (nor in a validation folder
    where there is no other). What is computed is kept, and taken over by a later extraction.

    Parameters
    ----------
    data : Path
        Folder of the photographs.
    cache : Path
        Folder of the feature sets.
    names, recipes : sequence of str
        Networks, and recipes as `features_of` reads them; each with each.
    size : int
        Photographs, at most.
    options : FitOptions, optional
        Classifier, labels, folds (5), and seed, which also draws the sample.
    preprocess : str, optional
        For networks in files.
    run : RunOptions, optional
    tell, progress : callable, optional
        Told what is done, and how far an extraction is.

    Raises
    ------
    UsageError
        A network or a recipe is not known, or none of them can be.
    LabelError
        There are no labels, or too few.
    InputError, WeightsError, CacheError
        As for an extraction.
    """
    options, run = options or FitOptions(), run or RunOptions()
    options = replace(
        options, cv=options.cv or FOLDS, classifier=check_classifier(options.classifier, options.head)
    )
    asked = [
        (name, recipe, features_of(name, recipe, preprocess))
        for name, recipe in dict.fromkeys(product(names, recipes))
    ]
    for _, _, features in asked:
        backbones.get(features.network.backbone, features.network.preprocess)
    drawn = draw(data, cache, size, options.labels, options.seed, tell)
    record = sample.record(cache, drawn.photographs, size, options.seed, drawn.contents)
    computed: list[tuple[str, str, FeatureCache, float]] = []
    impossible: list[tuple[str, str, str]] = []
    for name, recipe, features in asked:
        try:
            found = sample.extract_sample(drawn.photographs, cache, features, run, progress)
            tell(f"timing {name} {recipe}", 0, 0)
            rate = sample.photographs_per_second(drawn.photographs, features, run)
        except UsageError as error:
            impossible.append((name, recipe, str(error)))
            if len(impossible) == len(asked):
                raise
        else:
            computed.append((name, recipe, found, rate))
    scored = set.intersection(*(set(found.paths) for _, _, found, _ in computed)) & set(drawn.names)
    judged = []
    for name, recipe, found, rate in computed:
        tell(f"judging {name} {recipe}", 0, 0)
        judged.append(
            (name, recipe, found, rate, _judge(found, drawn.labelled, drawn.names, scored, options))
        )
    return NetworksCompared(_ranked(judged), impossible, len(drawn.names), drawn.among, options.seed, record)


def _judge(
    features: FeatureCache, labelled: Labels, names: Sequence[str], scored: set[str], options: FitOptions
) -> Evaluation:
    """Return the answers of a cross-validation on the photographs of a sample that every candidate has."""
    place = {name: i for i, name in enumerate(names) if name in scored}
    at = np.array([place.get(path, -1) for path in features.paths], np.int64)

    def aligned(values: NDArray[np.object_]) -> NDArray[np.object_]:
        column = np.full(len(at), None, object)
        column[at >= 0] = values[at[at >= 0]]
        return column

    known = replace(
        labelled,
        labels=aligned(labelled.labels),
        splits=np.full(len(at), None, object),
        columns={name: aligned(values) for name, values in labelled.columns.items()},
        folds=None if labelled.folds is None else aligned(labelled.folds),
    )
    groups = together.of(features, known, options.group)
    split = splits.divide(known, features.sha256, seed=options.seed, cv=options.cv, groups=groups)
    return Trainer(features, known, options).cross_validate(split.train, split.fold)


def _ranked(judged: Sequence[tuple[str, str, FeatureCache, float, Evaluation]]) -> list[Candidate]:
    right = [answers.true == answers.predicted for *_, answers in judged]
    best = max(range(len(judged)), key=lambda i: (right[i].mean(), judged[i][3]))
    candidates = []
    for (name, recipe, features, rate, answers), hits in zip(judged, right, strict=True):
        low, high = wilson_interval(int(hits.sum()), len(hits))
        difference, least, most = paired_difference(hits, right[best])
        candidates.append(
            Candidate(
                name,
                recipe,
                len(answers),
                answers.accuracy,
                low,
                high,
                difference,
                least,
                most,
                rate,
                features.dimension,
                features.dimension * np.dtype(features.recipe.dtype).itemsize * features.recipe.views,
            )
        )
    good = [one for one in candidates if not one.worse]
    fast = [
        one for one in good
        if one.photographs_per_second >= AS_FAST * max(other.photographs_per_second for other in good)
    ]  # fmt: skip
    cheapest = min(fast, key=lambda one: (one.bytes, -one.accuracy))
    return [
        replace(one, cheapest=one is cheapest)
        for one in sorted(candidates, key=lambda one: (-one.accuracy, -one.photographs_per_second))
    ]


def paired_difference(hits: NDArray[np.bool_], other: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Return by how much one share of right answers is above another on the same questions, with its 95 % interval.

    By Agresti and Min (2005), who add half an answer of each kind: unlike Wald's, the interval has a width where nobody differs.
    """
    if hits is other:
        return 0.0, 0.0, 0.0
    n = len(hits)
    more, less = int(np.sum(hits & ~other)) + 0.5, int(np.sum(~hits & other)) + 0.5
    middle = (more - less) / (n + 2)
    margin = DEVIATIONS * math.sqrt(max(more + less - (more - less) ** 2 / (n + 2), 0.0)) / (n + 2)
    return float(hits.mean() - other.mean()), middle - margin, middle + margin


def command(found: Candidate, data: Path, preprocess: str | None = None) -> str:
    """Return the command that extracts all photographs as a candidate did."""
    return " ".join(_arguments(found, data, preprocess))


def _arguments(found: Candidate, data: Path, preprocess: str | None) -> Iterator[str]:
    import shlex

    features = features_of(found.backbone, found.recipe, preprocess)
    network = features.network
    yield f"embed extract {shlex.quote(str(data))} --backbone {shlex.quote(found.backbone)}"
    if network.preprocess is not None:
        yield f"--preprocess {network.preprocess}"
    if network.size is not None:
        yield f"--size {network.size}"
    if network.pooling != "avg":
        yield f"--pooling {network.pooling}"
    if network.mirror:
        yield "--mirror"
    if features.fit != "stretch":
        yield f"--fit {features.fit}"
    if features.precision != "float32":
        yield f"--precision {features.precision}"
