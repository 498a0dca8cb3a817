"""Heads on disk, without pickle: a file from a stranger cannot run code.

skops writes an estimator as data (JSON and arrays) and, on reading, builds only types that the reader trusts:
those below and scikit-learn's own.
"""

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from embed.errors import ModelError

TRUSTED = (
    "embed.classifiers.dense.DenseHead",
    "embed.classifiers.kernel.SVMHead",
    "embed.classifiers.knn.KNNHead",
    "embed.classifiers.linear.LinearSVMHead",
    "embed.classifiers.linear.LogisticHead",
)  # types that a file may hold besides scikit-learn's own


def dumps(head: Any) -> bytes:
    """Return a fitted head as the bytes of a file."""
    from skops.io import dumps as skops_dumps

    return skops_dumps(head)


def loads(data: bytes, file: Path) -> Any:
    """Return the head in the bytes of a file.

    Raises:
        ModelError: it is damaged, or holds a type that is not trusted.
    """
    from skops.io import get_untrusted_types
    from skops.io import loads as skops_loads
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        foreign = sorted(set(get_untrusted_types(data=data)) - set(TRUSTED))
        if foreign:
            raise ModelError(
                f"the model {file} is not loaded: it asks for {', '.join(foreign[:3])}, which no model of embed holds"
            )
        return skops_loads(data, trusted=list(TRUSTED))
    except UntrustedTypesFoundException as error:
        raise ModelError(f"the model {file} is not loaded: {error}") from error
    except (BadZipFile, LookupError, ValueError, TypeError, AttributeError, EOFError, OSError) as error:
        raise ModelError(f"the model {file} is damaged ({error}); run `embed fit` again") from error
