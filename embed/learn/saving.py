"""Heads on disk: skops files of scikit-learn estimators, from which nothing is loaded but what is on a list.

The list is here, and never in a file. A file is as large as what it holds: nothing in it is compressed, but sparse matrices,
whose size is looked at first.
"""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from embed.errors import ModelError, UsageError
from embed.files import from_json

# Beside what skops trusts by itself: the public estimators of scikit-learn, arrays and ufuncs.
TRUSTED = (
    "scipy.sparse._csr.csr_matrix",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
SCHEMA = "schema.json"
MOST_UNPACKED = 256 << 20  # bytes of the sparse matrices in a file
LEAF = -1  # in the place of the children of a node that has none
# What crafted or foreign content makes of reading and of predicting.
WRONG = (
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    EOFError,
    ImportError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    zipfile.BadZipFile,
)


def dumps(estimator: Any, trust: Sequence[str] = ()) -> bytes:
    """Return a fitted estimator as the bytes of a file.

    Raises
    ------
    UsageError
        It holds types that are neither on the list nor trusted by the user, or cannot be kept at all.
    """
    from skops import io as skops

    try:
        data = skops.dumps(estimator)
        unknown = sorted(set(skops.get_untrusted_types(data=data)) - {*TRUSTED, *trust})
    except WRONG as error:
        raise UsageError(
            f"the classifier {type(estimator).__name__} cannot be kept in a file: {error}"
        ) from error
    if unknown:
        raise UsageError(
            f"the file of this classifier would hold types that are not trusted: {', '.join(unknown)}. Where you know"
            f" them, name each as trusted (trust)"
        )
    return data


def loads(data: bytes, file: Path, trust: Sequence[str] = ()) -> Any:
    """Return the estimator in the bytes of a file.

    Parameters
    ----------
    data : bytes
    file : Path
        Where they were read, for the error.
    trust : sequence of str
        Types to load beside those on the list.

    Raises
    ------
    ModelError
        It is no file of a head, or holds types that are not trusted.
    """
    from skops import io as skops

    try:
        _check_size(data)
        unknown = sorted(set(skops.get_untrusted_types(data=data)) - {*TRUSTED, *trust})
        if not unknown:
            estimator = skops.loads(data, trusted=[*TRUSTED, *trust])
            _check_trees(estimator)
            return estimator
    except WRONG as error:
        raise ModelError(
            f"the model {file} is damaged or no model of embed; run `embed fit` again"
        ) from error
    raise ModelError(
        f"the model {file} holds types that are not trusted: {', '.join(unknown)}. Where you know who made it, name each"
        f" as trusted (trust)"
    )


def _check_trees(estimator: Any) -> None:
    """Raise ValueError where a tree leads elsewhere or round in circles: whoever walks down it looks at nothing.

    scikit-learn numbers the nodes from the root down, so the children of a node come after it. How many features there
    are is checked by the estimator that a tree belongs to, not by the tree.
    """
    from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
    from sklearn.tree._tree import Tree

    seen: set[int] = set()
    found: list[tuple[Any, float]] = [(estimator, np.inf)]
    while found:
        one, features = found.pop()
        if id(one) in seen or isinstance(one, (str, bytes, int, float, type(None))):
            continue
        seen.add(id(one))
        inside: Any = ()
        if isinstance(one, Tree):
            nodes = one.__getstate__()["nodes"]
            _check_tree(
                nodes, nodes["left_child"] != LEAF, ("left_child", "right_child"), "feature", features
            )
        elif isinstance(one, TreePredictor):
            _check_tree(one.nodes, one.nodes["is_leaf"] == 0, ("left", "right"), "feature_idx", features)
            _check_categories(one)
        elif isinstance(one, dict):
            inside = one.values()
        elif isinstance(one, (list, tuple)):
            inside = one
        elif isinstance(one, np.ndarray):
            inside = one.ravel().tolist() if one.dtype == object else ()
        elif hasattr(one, "__dict__"):
            inside = vars(one).values()
            # Within a pipeline there may be more than come in.
            features = (
                min(features, vars(one).get("n_features_in_", np.inf))
                if not hasattr(one, "steps")
                else np.inf
            )
        found += [(value, features) for value in inside]


def _check_tree(
    nodes: np.ndarray, inner: np.ndarray, children: tuple[str, str], feature: str, features: float
) -> None:
    own = np.flatnonzero(inner)
    for name in children:
        child = nodes[name][inner].astype(np.int64)
        if not ((child > own) & (child < len(nodes))).all():
            raise ValueError("a tree has no such node")
    of = nodes[feature][inner].astype(np.int64)
    if not len(nodes) or not ((of >= 0) & (of < features)).all():
        raise ValueError("a tree asks for no feature")


def _check_categories(tree: Any) -> None:
    known = min(len(tree.raw_left_cat_bitsets), len(tree.binned_left_cat_bitsets))
    categorical = tree.nodes["is_categorical"] != 0
    if (tree.nodes["bitset_idx"][categorical].astype(np.int64) >= known).any():
        raise ValueError("a tree has no such categories")


def _check_size(data: bytes) -> None:
    """Raise ValueError where a file would take more memory than its own size, and sparse matrices more than their share."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > len(data):
            raise ValueError("the archive unpacks to more than it has")
        unpacked = 0
        for entry in entries:
            if entry.filename == SCHEMA:
                from_json(archive.read(entry))  # which skops reads without limits
            if entry.filename.endswith(".npz"):
                with zipfile.ZipFile(archive.open(entry)) as sparse:
                    unpacked += sum(inner.file_size for inner in sparse.infolist())
    if unpacked > MOST_UNPACKED:
        raise ValueError("the sparse matrices unpack to more than they may")
