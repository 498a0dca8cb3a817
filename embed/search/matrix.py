"""The similarity of a few photographs of each class with one another."""

from dataclasses import dataclass

import numpy as np

from embed import labels
from embed.cache import FeatureCache
from embed.errors import LabelError, UsageError
from embed.labels import NO_LABELS
from embed.search.vectors import normalised


@dataclass(frozen=True)
class Matrix:
    """Photographs in an order that puts alike next to alike, and the similarity of each with each."""

    paths: list[str]
    labels: list[str]
    similarity: np.ndarray  # float32 (n, n), in [-1, 1]


def similarity_matrix(
    features: FeatureCache, *, per_class: int = 4, seed: int = 0, label_rule: str = "folder"
) -> Matrix:
    """Return the cosine similarities of some photographs of each class.

    Classes, and the photographs within each, stand in the order of a hierarchical clustering with optimal leaf order.

    Raises LabelError where no photograph has a label.
    """
    if per_class < 1:
        raise UsageError(f"{per_class} shows nothing; it is 1 or more.", "per_class")
    labelled = labels.of(features, label_rule)
    if not labelled.classes:
        raise LabelError(f"No photograph has a label by the rule {labelled.rule!r}; {NO_LABELS}.")
    generator = np.random.default_rng(seed)
    groups = []
    for label in labelled.classes:
        rows = np.flatnonzero(labelled.labels == label)
        rows = np.sort(generator.permutation(rows)[:per_class])
        vectors = normalised(features.rows(rows))
        order = leaf_order(vectors)
        groups.append((label, rows[order], vectors[order]))
    by_class = leaf_order(normalised(np.stack([vectors.mean(axis=0) for _, _, vectors in groups])))
    groups = [groups[i] for i in by_class]
    vectors = np.concatenate([vectors for _, _, vectors in groups])
    return Matrix(
        paths=[features.path(row) for _, rows, _ in groups for row in rows.tolist()],
        labels=[label for label, rows, _ in groups for _ in rows],
        similarity=np.clip(vectors @ vectors.T, -1, 1),
    )


def leaf_order(vectors: np.ndarray) -> np.ndarray:
    """Return the order of vectors (n, d) of length one in which neighbours are most alike."""
    if len(vectors) < 3:
        return np.arange(len(vectors))
    from scipy.cluster.hierarchy import leaves_list, linkage
    from scipy.spatial.distance import squareform

    apart = np.clip(1 - vectors.astype(np.float64) @ vectors.T.astype(np.float64), 0, None)
    np.fill_diagonal(apart, 0)
    tree = linkage(squareform((apart + apart.T) / 2), "average", optimal_ordering=True)
    return leaves_list(tree)
