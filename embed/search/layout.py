"""A map of the features: photographs that are alike lie close together."""

from dataclasses import dataclass

import numpy as np

from embed import labels
from embed.cache import FeatureCache
from embed.errors import UsageError
from embed.search.vectors import check_not_empty, normalise

AXES = 50  # principal components that t-SNE starts from
PERPLEXITY = 30.0  # neighbours that a photograph is placed by
LIMIT = 3000  # photographs on a map: more can be neither told apart nor carried on one page


@dataclass(frozen=True)
class Layout:
    """Where each photograph lies."""

    paths: list[str]
    labels: list[str | None]
    positions: np.ndarray  # float32 (n, 2), in [0, 1]
    left_out: int  # photographs that are not on the map


def layout(
    features: FeatureCache, *, limit: int = LIMIT, seed: int = 0, label_rule: str = "folder"
) -> Layout:
    """Return a map by t-SNE over the leading principal components.

    Of more photographs than the limit some are drawn at random. The same features and the same seed give the same map.
    """
    if limit < 1:
        raise UsageError(f"{limit} leaves nothing; it is 1 or more.", "limit")
    check_not_empty(features)
    labelled = labels.of(features, label_rule)
    asked = np.arange(len(features)) if labelled.asked is None else np.flatnonzero(labelled.asked)
    rows = np.sort(np.random.default_rng(seed).permutation(asked)[:limit])
    placed = positions(normalise(features.rows(rows)), seed)
    return Layout(
        [features.path(row) for row in rows.tolist()],
        [labelled.labels[row] for row in rows],
        placed,
        len(asked) - len(rows),
    )


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
