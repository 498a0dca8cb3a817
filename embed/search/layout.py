"""A map of the features: photographs that are alike lie close together."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embed import labels
from embed.cache import FeatureCache
from embed.errors import UsageError
from embed.search.vectors import blocks, check_not_empty, normalise

AXES = 50  # principal components that t-SNE starts from
PERPLEXITY = 30.0  # neighbours that a photograph is placed by
LIKES = 5  # photographs with a place, between which another one is put
SHARPNESS = 16  # power of the similarity: the more alike, the nearer
LIMIT = 3000  # photographs on a map: more can be neither told apart nor carried on one page


@dataclass(frozen=True)
class Layout:
    """Where each photograph lies."""

    paths: list[str]
    labels: list[str | None]
    positions: np.ndarray  # float32 (n, 2), in [0, 1]
    left_out: int  # photographs that are not on the map


def layout(
    features: FeatureCache,
    *,
    limit: int = LIMIT,
    seed: int = 0,
    label_rule: str = "folder",
    rest: bool = False,
) -> Layout:
    """Return a map by t-SNE over the leading principal components.

    Of more photographs than the limit some are drawn at random; with `rest` the others are put between those that they look
    most like. The same features and the same seed give the same map.
    """
    if limit < 1:
        raise UsageError(f"{limit} leaves nothing; it is 1 or more.", "limit")
    check_not_empty(features)
    labelled = labels.of(features, label_rule)
    asked = np.arange(len(features)) if labelled.asked is None else np.flatnonzero(labelled.asked)
    rows = np.sort(np.random.default_rng(seed).permutation(asked)[:limit])
    vectors = normalise(features.rows(rows))
    placed = positions(vectors, seed)
    if rest and len(rows) < len(asked):
        placed = _between(features, asked, rows, vectors, placed)
        rows = asked
    return Layout(
        [features.path(row) for row in rows.tolist()],
        [labelled.labels[row] for row in rows],
        placed,
        len(asked) - len(rows),
    )


def _between(
    features: FeatureCache,
    every: NDArray[np.int64],
    rows: NDArray[np.int64],
    vectors: NDArray[np.float32],
    placed: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return where every photograph lies, float32 (n, 2): those that have a place there, the others near their likes."""
    found = np.empty((len(every), 2), np.float32)
    for some in blocks(len(every), max(features.dimension, len(rows))):
        alike = normalise(features.rows(every[some])) @ vectors.T
        nearest = np.argpartition(-alike, min(LIKES, len(rows) - 1), axis=1)[:, :LIKES]
        weights = np.maximum(np.take_along_axis(alike, nearest, axis=1), 0) ** SHARPNESS + 1e-12
        found[some] = np.einsum("nk,nkd->nd", weights / weights.sum(axis=1, keepdims=True), placed[nearest])
    found[np.searchsorted(every, rows)] = placed
    return found


def positions(vectors: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return where vectors (n, d) lie on the plane, float32 (n, 2), in [0, 1]."""
    count = len(vectors)
    placed = np.zeros((count, 2), np.float32)
    if count > 3:
        from sklearn.decomposition import PCA
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits

        perplexity = min(PERPLEXITY, (count - 1) / 3)
        with threadpool_limits(
            1
        ):  # t-SNE makes another map of the last bits that a number of threads decides
            axes = PCA(min(AXES, count - 1, vectors.shape[1]), random_state=seed).fit_transform(vectors)
            placed = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(axes)
    elif count > 1:
        placed[:, 0] = np.arange(count)
    span = np.ptp(placed, axis=0).max() or 1.0
    return ((placed - placed.min(axis=0)) / span).astype(np.float32)
