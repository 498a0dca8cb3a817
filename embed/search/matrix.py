"""The similarity of a few photographs of each class with one another, or of the classes where there are many."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embed import labels
from embed.cache import FeatureCache
from embed.errors import LabelError, UsageError
from embed.labels import NO_LABELS
from embed.search.current import silent
from embed.search.store import Progress
from embed.search.vectors import CachedVectors, normalised

MOST_CLASSES = 30  # whose photographs are compared one by one; of more, their means are
OF_MEAN = 1_000  # photographs at most that a mean is taken over


@dataclass(frozen=True)
class Matrix:
    """Photographs in an order that puts alike next to alike, and the similarity of each with each.

    Attributes
    ----------
    paths : list of str
    labels : list of str
    similarity : ndarray of shape (n, n), float32
        In [-1, 1].
    means : bool
        Whether it is about the means of the classes: then there is one photograph of each, the one nearest to its mean.
    """

    paths: list[str]
    labels: list[str]
    similarity: NDArray[np.float32]
    means: bool = False


def similarity_matrix(
    features: FeatureCache,
    *,
    per_class: int = 4,
    seed: int = 0,
    label_rule: str = "folder",
    progress: Progress = silent,
) -> Matrix:
    """Return the cosine similarities of some photographs of each class, or of the means of more than 30 classes.

    Classes, and the photographs within each, stand in the order of a hierarchical clustering with optimal leaf order.

    Parameters
    ----------
    features : FeatureCache
    per_class : int
        Photographs of each class, where they are compared one by one.
    seed : int
        Of the draw of photographs.
    label_rule : str
        Where labels come from.
    progress : callable
        Is told what is done, and how many classes of how many.

    Raises
    ------
    LabelError
        No photograph has a label.
    UsageError
        `per_class` is less than 1.
    """
    if per_class < 1:
        raise UsageError(f"{per_class} shows nothing; it is 1 or more.", "per_class")
    labelled = labels.of(features, label_rule)
    if not labelled.classes:
        raise LabelError(f"No photograph has a label by the rule {labelled.rule!r}; {NO_LABELS}.")
    means = len(labelled.classes) > MOST_CLASSES
    generator = np.random.default_rng(seed)
    groups, centres = [], []
    for done, label in enumerate(labelled.classes):
        progress("Comparing the classes", done, len(labelled.classes))
        rows = np.flatnonzero(labelled.labels == label)
        rows = np.sort(generator.permutation(rows)[: OF_MEAN if means else per_class])
        vectors = CachedVectors(features, rows)[np.arange(len(rows))]
        centre = normalised(vectors.mean(axis=0))[0]
        if means:
            order = np.array([np.argmax(vectors @ centre)])
            vectors = centre[None]
        else:
            order = leaf_order(vectors)
            vectors = vectors[order]
        groups.append((label, rows[order], vectors))
        centres.append(centre)
    groups = [groups[i] for i in leaf_order(np.stack(centres))]
    vectors = np.concatenate([vectors for _, _, vectors in groups])
    return Matrix(
        paths=[features.path(row) for _, rows, _ in groups for row in rows.tolist()],
        labels=[label for label, rows, _ in groups for _ in rows],
        similarity=np.clip(vectors @ vectors.T, -1, 1),
        means=means,
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
