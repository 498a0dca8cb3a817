"""Heads on disk: skops files of scikit-learn estimators, from which nothing is loaded but what is on a list.

The list is here, and never in a file. A file is as large as what it holds: nothing in it is compressed, but sparse matrices,
whose size is looked at first.
"""

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from embed.errors import ModelError, UsageError

# Beside what skops trusts by itself: the public estimators of scikit-learn, arrays and ufuncs.
TRUSTED = (
    "scipy.sparse._csr.csr_matrix",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)
MOST_UNPACKED = 256 << 20  # bytes of the sparse matrices in a file
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
            return skops.loads(data, trusted=[*TRUSTED, *trust])
    except WRONG as error:
        raise ModelError(
            f"the model {file} is damaged or no model of embed; run `embed fit` again"
        ) from error
    raise ModelError(
        f"the model {file} holds types that are not trusted: {', '.join(unknown)}. Where you know who made it, name each"
        f" as trusted (trust)"
    )


def _check_size(data: bytes) -> None:
    """Raise ValueError where a file would take more memory than its own size, and sparse matrices more than their share."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > len(data):
            raise ValueError("the archive unpacks to more than it has")
        unpacked = 0
        for entry in entries:
            if entry.filename.endswith(".npz"):
                with zipfile.ZipFile(archive.open(entry)) as sparse:
                    unpacked += sum(inner.file_size for inner in sparse.infolist())
    if unpacked > MOST_UNPACKED:
        raise ValueError("the sparse matrices unpack to more than they may")
