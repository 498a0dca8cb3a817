"""The heads: classifiers of features, as scikit-learn estimators.

    head = make("svm")
    head.fit(X, y)
    head.predict_proba(X_new)

Every head chooses its strength by itself, is calibrated, and gives the same numbers for the same photographs
whatever the number of threads.
"""

from typing import TYPE_CHECKING, Any

from embed.errors import UsageError

if TYPE_CHECKING:
    from embed.learn.heads.base import Head

HEADS = {
    "logistic": "softmax regression",
    "dense": "a dense network with dropout, early stopping on held-out photographs",
    "svm": "support-vector machine, Gaussian kernel",
    "linear-svm": "support-vector machine, linear",
    "knn": "vote of the nearest neighbours",
    "dummy": "always the most frequent class: what any other has to beat",
}  # name → what it is


def make(name: str, *, balanced: bool = False, random_state: int = 0, **options: Any) -> "Head":
    """Return an unfitted head.

    Args:
        name: one of `HEADS`.
        balanced: whether every class counts the same, however many photographs it has.
        random_state: seed of all that is drawn.
        **options: parameters of the head's own class.

    Raises:
        UsageError: no head has that name, or the head has no such option.
    """
    if name not in HEADS:
        raise UsageError(f"there is no classifier {name!r}; use {', '.join(HEADS)}")
    weight = "balanced" if balanced else None
    try:
        return _class_of(name)(class_weight=weight, random_state=random_state, **options)
    except TypeError as error:
        raise UsageError(f"the classifier {name!r} cannot take {', '.join(options)}: {error}") from error


def _class_of(name: str) -> "type[Any]":
    if name == "dense":
        from embed.learn.heads.dense import DenseHead

        return DenseHead
    if name == "svm":
        from embed.learn.heads.kernel import SVMHead

        return SVMHead
    if name == "dummy":
        from embed.learn.heads.dummy import DummyHead

        return DummyHead
    if name == "knn":
        from embed.learn.heads.knn import KNNHead

        return KNNHead
    from embed.learn.heads.linear import LinearSVMHead, LogisticHead

    return LogisticHead if name == "logistic" else LinearSVMHead
