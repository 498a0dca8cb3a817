"""Class-activation maps: which parts of a photograph speak for a class, and which against it.

The features of a photograph are pooled from the cells of a map, so they are a sum of one share per cell. A linear head then
gives every cell its exact part of the score (Zhou et al. 2016): the parts and a constant add up to it. For any other head a
cell's part is the slope of the score along its share, which for average pooling is Grad-CAM (Selvaraju et al. 2017) without
its cut at zero.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embed import images, sources
from embed.backbones import NO_POOLING, check_weights, grid_spans
from embed.cache import FeatureCache
from embed.errors import UsageError, WeightsError
from embed.extract import RunOptions, embed_files, network_of
from embed.learn import linear_terms

if TYPE_CHECKING:
    from embed.backbones import Runtime

BATCH = 16  # photographs whose maps are held at a time
STEP = 0.1  # of a cell's share, to either side, over which the slope of a score is measured
SAME_FEATURES = (
    0.02  # relative difference up to which the pooled map is the features, at any precision of the arithmetic
)
SMALLEST = 1e-300  # a probability of zero would have no logarithm


@dataclass(frozen=True)
class ClassMap:
    """What every cell of a photograph contributes to the score of one class.

    Attributes
    ----------
    label : str
        The class.
    probability : float
        What the head gives it.
    predicted : str
        The most probable class.
    cells : float64 ndarray of shape (h, w)
        Positive cells speak for the class, negative ones against it.
    exact : bool
        Whether `cells.sum() + bias` is the calibrated score (logit) of the class; otherwise the cells are slopes of
        its log-odds.
    bias : float
        The constant of the score; 0 where the map is not exact.
    """

    label: str
    probability: float
    predicted: str
    cells: np.ndarray
    exact: bool
    bias: float = 0.0

    @property
    def method(self) -> str:
        """The name of the method, for people."""
        return "class-activation map (exact)" if self.exact else "Grad-CAM"

    def to_json(self) -> dict[str, Any]:
        """Return the map as JSON knows it."""
        return {
            "class": self.label,
            "probability": self.probability,
            "predicted": self.predicted,
            "method": self.method,
            "exact": self.exact,
            "bias": self.bias,
            "cells": self.cells.tolist(),
        }


@dataclass(frozen=True)
class Explained:
    """One photograph with its maps, one for each class asked for; or the reason why there are none."""

    file: sources.Address
    maps: tuple[ClassMap, ...] = ()
    problem: str | None = None


def shares(activations: np.ndarray, pooling: str) -> np.ndarray:
    """Divide pooled features among the cells of their map.

    Parameters
    ----------
    activations : float ndarray of shape (h, w, c)
    pooling : str
        "avg", "max" (a channel belongs to its first largest cell), "grid" or "flatten".

    Returns
    -------
    float32 ndarray of shape (h * w, d) whose rows add up to the features.
    """
    h, w, c = activations.shape
    flat = activations.reshape(h * w, c).astype(np.float32)
    if pooling == "avg":
        return flat / np.float32(h * w)
    if pooling == "max":
        first_largest = flat.argmax(axis=0)
        return np.where(np.arange(h * w)[:, None] == first_largest, flat, np.float32(0))
    if pooling == "grid":
        regions = []
        for rows, columns in product(grid_spans(h), grid_spans(w)):
            inside = np.zeros((h, w, 1), np.float32)
            inside[slice(*rows), slice(*columns)] = 1
            regions.append((activations * inside / inside.sum()).reshape(h * w, c))
        return np.concatenate(regions, axis=1).astype(np.float32)
    if pooling == "flatten":
        divided = np.zeros((h * w, h * w, c), np.float32)
        divided[np.arange(h * w), np.arange(h * w)] = flat
        return divided.reshape(h * w, -1)
    raise UsageError(f"features pooled by {pooling!r} cannot be divided among the cells of a map")


def class_map(
    head: Any,
    activations: np.ndarray,
    pooling: str,
    *,
    label: str | None = None,
    features: np.ndarray | None = None,
) -> ClassMap:
    """Explain the score of one class for one photograph.

    Parameters
    ----------
    head : classifier
        A fitted classifier with `classes_` and `predict_proba`.
    activations : float ndarray of shape (h, w, c)
        The map that was pooled.
    pooling : str
        How it was pooled.
    label : str, optional
        The class; by default the most probable one.
    features : float ndarray of shape (d,), optional
        What the head was given, where that may be more than the pooled map (ConvNeXt normalises
        afterwards); by default the pooled map.

    Raises
    ------
    UsageError
        The head does not know the class, or gives no probabilities.
    """
    if not hasattr(head, "predict_proba"):
        raise UsageError(
            f"{type(head).__name__} has no predict_proba, which a map needs; wrap it in CalibratedClassifierCV"
        )
    parts = shares(activations, pooling)
    pooled = parts.sum(axis=0, dtype=np.float64).astype(np.float32)
    given = pooled if features is None else np.asarray(features, np.float32)
    same = np.linalg.norm(given - pooled) <= SAME_FEATURES * np.linalg.norm(given)
    probabilities = head.predict_proba(given[None])[0]
    column = int(probabilities.argmax()) if label is None else _column(head, label)
    linear = linear_terms(head, pooled.astype(np.float64), column) if same else None
    if linear is None:
        cells, bias = _slopes(head, given, parts, column), 0.0
    else:
        coefficients, bias = linear
        cells = parts.astype(np.float64) @ coefficients
    return ClassMap(
        label=str(head.classes_[column]),
        probability=float(probabilities[column]),
        predicted=str(head.classes_[probabilities.argmax()]),
        cells=cells.reshape(activations.shape[:2]),
        exact=linear is not None,
        bias=bias,
    )


def _column(head: Any, label: str) -> int:
    classes = [str(name) for name in head.classes_]
    if label not in classes:
        raise UsageError(f"the model knows no class {label!r}; it knows {', '.join(classes)}")
    return classes.index(label)


def _slopes(head: Any, x: np.ndarray, parts: np.ndarray, column: int) -> np.ndarray:
    """Return the slope of the log-odds of a class along every part, shape (len(parts),), by central differences."""
    step = np.float32(STEP) * parts
    less = x - step
    if x.min() >= 0:  # a head of features without negative values may take their root
        less = np.maximum(less, 0)
    probabilities = head.predict_proba(np.concatenate([x + step, less]))
    others = np.delete(probabilities, column, axis=1).sum(axis=1)
    log_odds = np.log(np.maximum(probabilities[:, column], SMALLEST)) - np.log(np.maximum(others, SMALLEST))
    above, below = np.split(log_odds, 2)
    return (above - below) / (2 * STEP)


class Explainer:
    """Makes class-activation maps of photographs for a head that was fitted on a feature set.

    Parameters
    ----------
    features : FeatureCache
        The feature set; its recipe says how photographs are read.
    head : classifier
        The fitted classifier.
    run : RunOptions, optional
        Device and threads.
    weights : Path, optional
        The file of the backbone's weights, where they are the user's own and no map has been made with them yet.
    notify : callable, optional
        Is told, in a sentence, where the backbone has to be prepared, which takes seconds.
    """

    def __init__(
        self,
        features: FeatureCache,
        head: Any,
        run: RunOptions | None = None,
        weights: Path | None = None,
        notify: Callable[[str], None] | None = None,
    ) -> None:
        self.features = features
        self.head = head
        self.run = run or RunOptions()
        self.weights = weights
        self.notify = notify

    @cached_property
    def runtime(self) -> "Runtime":
        """The backbone without its pooling.

        Raises CacheError where the weights are not those of the feature set, WeightsError where they cannot be had.
        """
        from embed.backbones import open_runtime

        network = replace(network_of(self.features), pooling=NO_POOLING)
        if self.weights is not None:
            network = replace(network, weights_file=self._own_weights(self.weights))
        try:
            return open_runtime(network, self.run.device, self.features.recipe.precision, self.notify)
        except WeightsError as error:
            if not network.own_weights or self.weights is not None:
                raise
            raise WeightsError(
                f"a class-activation map needs {network.backbone.name} without its pooling, which has to be made once from"
                f" {network.weights}: say where that file is (weights)"
            ) from error

    def _own_weights(self, file: Path) -> Path | None:
        found = check_weights(file)
        if found.sha256 != self.features.recipe.weights_sha256:
            raise WeightsError(f"{file} does not hold the weights that computed {self.features.name}")
        return found.file

    def explain(self, wanted: Iterable[tuple[sources.Address, Sequence[str | None]]]) -> Iterator[Explained]:
        """Yield one result for every file, in order, with a map for each of its classes (None: the most probable one).

        Raises UsageError, before anything is computed, for a class that the head does not know.
        """
        recipe = self.features.recipe
        if recipe.imported or recipe.joined:
            network_of(self.features)  # says why there is no one network to explain
        pairs = list(wanted)
        for label in {label for _, labels in pairs for label in labels if label is not None}:
            _column(self.head, label)
        for start in range(0, len(pairs), BATCH):
            yield from self._explain_batch(pairs[start : start + BATCH])

    def _explain_batch(
        self, pairs: list[tuple[sources.Address, Sequence[str | None]]]
    ) -> Iterator[Explained]:
        recipe, files = self.features.recipe, [file for file, _ in pairs]
        source = sources.Files(files)
        embedded = list(embed_files(files, self.features, self.run, notify=self.notify))
        with images.Decoder(images.Resize(recipe.size, recipe.fit)) as decoder:
            decoded = list(decoder.map(source.read([*source.items()])))
        seen = [one.pixels[0] for one in decoded if one.pixels is not None]
        maps = iter(self.runtime.run(np.stack(seen)) if seen else ())
        for (file, labels), one, known in zip(pairs, decoded, embedded, strict=True):
            if one.pixels is None:
                yield Explained(file, problem=one.problem)
                continue
            activations = next(maps)
            features = None if known.features is None else known.features[0]
            yield Explained(
                file,
                tuple(
                    class_map(self.head, activations, recipe.pooling, label=label, features=features)
                    for label in labels
                ),
            )
