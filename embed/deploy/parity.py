"""Whether a file gives what `embed` gives: photographs that the model has not seen, and what is said of them."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from embed import images, sources
from embed.cache import FeatureCache
from embed.errors import InputError, ModelError
from embed.learn import Model
from embed.learn.evaluation import decide

MOST_PHOTOGRAPHS = 512
MOST_BYTES = 256 << 20  # of pixels
# Of a probability. Sums are taken in another order elsewhere; where the features were computed or kept in halves, they are
# only near to what float32 gives.
BOUND, BOUND_OF_HALVES = 0.01, 0.1
LEAST_ALIKE = 0.9  # share of the photographs, of a file that computes in eight bits
CALIBRATION = 128  # photographs by which the ranges of eight bits are found


@dataclass(frozen=True)
class Parity:
    """How a file answered, beside `embed`.

    Parameters
    ----------
    photographs : int
        How many were compared, none of which the model was fitted on.
    same_class : int
        For how many of them both decide alike.
    largest_difference : float
        Of a probability.
    accuracy, accuracy_of_embed : float
        On them, of the file and of `embed`.
    """

    photographs: int
    same_class: int
    largest_difference: float
    accuracy: float
    accuracy_of_embed: float

    @property
    def agreement(self) -> float:
        """Share of the photographs for which both decide alike."""
        return self.same_class / self.photographs

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        return {**asdict(self), "agreement": self.agreement}


@dataclass(frozen=True)
class HeldOut:
    """Photographs that a model was judged on, as `embed` decoded them.

    Parameters
    ----------
    pixels : uint8 ndarray of shape (n, size, size, 3)
    expected : float64 ndarray of shape (n, K)
        The probabilities by `embed`.
    y : object ndarray of shape (n,)
        The true labels.
    """

    pixels: np.ndarray
    expected: np.ndarray
    y: np.ndarray

    def compare(self, model: Model, found: np.ndarray) -> Parity:
        """Return how the probabilities of a file, (n, K), compare."""
        ours, theirs = (decide(rows, model.threshold) for rows in (self.expected, found))
        classes = np.asarray(model.classes, object)
        return Parity(
            len(found),
            int((ours == theirs).sum()),
            float(np.abs(self.expected - found).max()),
            float((classes[theirs] == self.y).mean()),
            float((classes[ours] == self.y).mean()),
        )


def check(parity: Parity, features: FeatureCache, *, format: str, int8: bool) -> None:
    """Raise ModelError where a file gives something else than `embed`; in eight bits, too often another class."""
    if int8:
        if parity.agreement < LEAST_ALIKE or not parity.largest_difference <= 1:  # NaN is not
            raise ModelError(
                f"in eight bits the file of {format} names only {parity.same_class} of {parity.photographs} photographs like "
                f"embed, and is not kept; its accuracy on them is {parity.accuracy:.3f}, where it was "
                f"{parity.accuracy_of_embed:.3f}. Export without int8, or another network"
            )
        return
    halves = (features.recipe.precision, features.recipe.dtype) != ("float32", "float32")
    bound = BOUND_OF_HALVES if halves else BOUND
    if not parity.largest_difference <= bound:  # NaN is not
        raise ModelError(
            f"the file of {format} gives probabilities that differ by up to {parity.largest_difference:.2g} from those of "
            f"embed on {parity.photographs} photographs, more than {bound:g}, and is not kept; take another format"
        )


def held_out(features: FeatureCache, model: Model) -> HeldOut:
    """Return photographs that a model was judged on.

    Raises
    ------
    InputError
        None of them can be read as it was.
    ModelError
        It is not known which they are.
    """
    evaluation = model.evaluation()
    label_of = dict(zip(evaluation.paths.tolist(), evaluation.y.tolist(), strict=True))
    rows = [row for path in label_of if (row := features.index_of(path)) is not None]
    kept, pixels = _read(features, _spread(rows, MOST_PHOTOGRAPHS, features.recipe.size))
    if not kept:
        raise InputError(
            f"none of the photographs that {model.name} was judged on is as it was below {features.root}, so that no file "
            f"can be checked; put them back, or run {features.again} and `embed fit`"
        )
    y = np.array([label_of[features.path(row)] for row in kept], object)
    return HeldOut(pixels, model.predict_proba(features.rows(kept)), y)


def calibration(features: FeatureCache, model: Model) -> np.ndarray:
    """Return photographs to find ranges by, uint8 (m, size, size, 3): of those that the model was not judged on, if there are any.

    Raises
    ------
    InputError
        None of them can be read as it was.
    """
    judged_on = {features.index_of(path) for path in model.evaluation().paths.tolist()}
    rows = [row for row in range(len(features)) if row not in judged_on] or list(range(len(features)))
    _, pixels = _read(features, _spread(rows, CALIBRATION, features.recipe.size))
    if not len(pixels):
        raise InputError(
            f"no photograph below {features.root} is as it was, and eight bits need some to find their ranges by; put them "
            "back, or export without int8"
        )
    return pixels


def _spread(rows: list[int], most: int, side: int) -> list[int]:
    """Return at most so many rows, over all of them."""
    most = max(1, min(most, len(rows), MOST_BYTES // (side * side * 3)))
    return [rows[i] for i in np.linspace(0, len(rows) - 1, most).astype(int)] if rows else []


def _read(features: FeatureCache, rows: list[int]) -> tuple[list[int], np.ndarray]:
    """Return the rows whose photographs are as they were, with the pixels of each."""
    file_of = sources.locator(features.root)
    recipe, source = (
        features.recipe,
        sources.Files([file_of(features.path(row)) for row in rows]),
    )
    kept, pixels = [], []
    with images.Decoder(images.Resize(recipe.size, recipe.fit)) as decoder:
        for row, one in zip(rows, decoder.map(source.read([*source.items()])), strict=True):
            if one.pixels is not None and one.sha256 == features.sha256[row].tobytes():
                kept.append(row)
                pixels.append(one.pixels[0])
    return kept, np.stack(pixels) if pixels else np.empty((0, recipe.size, recipe.size, 3), np.uint8)
