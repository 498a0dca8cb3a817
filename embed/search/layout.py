"""A map of the features: photographs that are alike lie close together."""

import itertools
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from embed import labels
from embed.cache import FeatureCache
from embed.errors import UsageError
from embed.machine import one_thread
from embed.search.components import components
from embed.search.current import silent
from embed.search.store import Progress
from embed.search.vectors import CachedVectors, check_not_empty

AXES = 50  # principal components that t-SNE starts from
PERPLEXITY = 30.0  # neighbours that a photograph is placed by
LIMIT = 100_000  # photographs on a map
DIRECT = 4_000  # of them that scikit-learn places within half a minute; of more, as many are landmarks
BESIDE = 5  # landmarks that another photograph is placed by
BETWEEN = 0.01  # of the map's width: how far apart photographs beside the same landmarks are strewn
EVERY = 25  # steps of openTSNE between two signs of progress
STEPS = 750
PLACING = "Placing the photographs on the map"


@dataclass(frozen=True)
class Layout:
    """Where each photograph lies.

    Attributes
    ----------
    paths : list of str
    labels : list of str or None
    positions : ndarray of shape (n, 2), float32
        In [0, 1], with the middle of what is drawn at 0.5.
    left_out : int
        Photographs that are not on the map.
    method : str
        How they were placed.
    """

    paths: list[str]
    labels: list[str | None]
    positions: NDArray[np.float32]
    left_out: int = 0
    method: str = ""


def layout(
    features: FeatureCache,
    *,
    limit: int = LIMIT,
    seed: int = 0,
    label_rule: str = "folder",
    progress: Progress = silent,
) -> Layout:
    """Return a map by t-SNE over the leading principal components.

    Of more photographs than the limit some are drawn at random. Of more than a few thousand, scikit-learn's t-SNE places some, drawn
    at random, and the others go beside those that they are most like; openTSNE, where it is installed, places all of them. The same
    features and the same seed give the same map.

    Parameters
    ----------
    features : FeatureCache
    limit : int
        Photographs at most.
    seed : int
    label_rule : str
        Where labels come from.
    progress : callable
        Is told what is done, and how much of how much.

    Raises
    ------
    NoFeaturesError
        There is no photograph.
    UsageError
        `limit` is less than 1.
    """
    if limit < 1:
        raise UsageError(f"{limit} leaves nothing; it is 1 or more.", "limit")
    check_not_empty(features)
    labelled = labels.of(features, label_rule)
    asked = np.arange(len(features)) if labelled.asked is None else np.flatnonzero(labelled.asked)
    rows = np.sort(np.random.default_rng(seed).permutation(asked)[:limit])
    axes = components(CachedVectors(features, rows), AXES, seed, progress)
    placed, method = positions(axes, seed, progress)
    return Layout(
        [features.path(row) for row in rows.tolist()],
        [labelled.labels[row] for row in rows],
        placed,
        len(asked) - len(rows),
        method,
    )


def positions(
    axes: NDArray[np.float32], seed: int = 0, progress: Progress = silent
) -> tuple[NDArray[np.float32], str]:
    """Return where points of a few dimensions lie on the plane, float32 (n, 2) in [0, 1], and how that was found."""
    count = len(axes)
    progress(PLACING, 0, count)
    if count <= 3 or not axes.any():
        placed = np.zeros((count, 2), np.float32)
        placed[:, 0] = np.arange(count)
        method = "one after another"
    elif count <= DIRECT:
        placed, method = _placed(axes, seed), "t-SNE"
    elif find_spec("openTSNE") is not None:
        placed, method = _placed_by_opentsne(axes, seed, progress), "t-SNE (openTSNE)"
    else:
        placed, method = (
            _placed_by_landmarks(axes, seed, progress),
            f"t-SNE of {DIRECT:,}, the others beside them",
        )
    lowest, highest = placed.min(axis=0), placed.max(axis=0)
    span = (highest - lowest).max() or 1.0
    return ((placed - (lowest + highest) / 2) / span + 0.5).clip(0, 1).astype(np.float32), method


def _placed(axes: NDArray[np.float32], seed: int) -> NDArray[np.float32]:
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(axes) - 1) / 3)
    with one_thread():  # t-SNE makes another map of the last bits that a number of threads decides
        return TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(axes)


def _placed_by_landmarks(axes: NDArray[np.float32], seed: int, progress: Progress) -> NDArray[np.float32]:
    """Place some by t-SNE, and each of the others among the ones that it is most like."""
    from sklearn.neighbors import NearestNeighbors

    generator = np.random.default_rng(seed)
    landmarks = np.sort(generator.permutation(len(axes))[:DIRECT])
    of_landmarks = _placed(axes[landmarks], seed)
    placed = np.empty((len(axes), 2), np.float32)
    nearest = NearestNeighbors(n_neighbors=BESIDE).fit(axes[landmarks])
    for start in range(0, len(axes), DIRECT):
        progress(PLACING, start, len(axes))
        distances, beside = nearest.kneighbors(axes[start : start + DIRECT])
        weights = 1 / np.maximum(distances, 1e-6) ** 2
        weights /= weights.sum(axis=1, keepdims=True)
        # The nearest one decides: what lies between two heaps belongs to neither.
        heap = np.linalg.norm(of_landmarks[beside] - of_landmarks[beside[:, :1]], axis=2)
        weights *= heap < np.ptp(of_landmarks, axis=0).max() / 20
        weights /= weights.sum(axis=1, keepdims=True)
        placed[start : start + DIRECT] = np.einsum("nk,nkd->nd", weights, of_landmarks[beside])
    width = BETWEEN * np.ptp(of_landmarks, axis=0).max()
    placed += width * generator.standard_normal(placed.shape, np.float32)
    placed[landmarks] = of_landmarks
    return placed


def _placed_by_opentsne(axes: NDArray[np.float32], seed: int, progress: Progress) -> NDArray[np.float32]:
    import openTSNE

    steps = itertools.count(EVERY, EVERY)  # over both of its phases, each of which counts from one

    def tell(*_: object) -> None:
        progress(PLACING, min(next(steps), STEPS), STEPS)

    tsne = openTSNE.TSNE(
        perplexity=PERPLEXITY,
        initialization="pca",
        random_state=seed,
        n_jobs=1,
        negative_gradient_method="fft",
        n_iter=STEPS - 250,
        callbacks=tell,
        callbacks_every_iters=EVERY,
    )
    return np.asarray(tsne.fit(axes.astype(np.float64)), np.float32)
