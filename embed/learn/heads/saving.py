"""Heads on disk, without pickle: a file from a stranger cannot run code.

A file is a NumPy archive of plain arrays, and one text (JSON) that says which head it is, its parameters, and
the fitted values that are no arrays. Reading builds one of our own heads and gives it the attributes that such
a head has, nothing else. (skops would do for any estimator, but importing it takes longer than fitting does.)
"""

import io
import json
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from embed.errors import ModelError, UsageError
from embed.learn import heads as classifiers

DOCUMENT = "document"  # the entry of the archive that holds the text
LISTS = (
    "weights_",
    "biases_",
    "norms_",
)  # attributes that are lists of arrays: saved as weights_0, weights_1, ...


def dumps(head: Any) -> bytes:
    """Return a fitted head as the bytes of a file."""
    arrays: dict[str, np.ndarray] = {}
    values: dict[str, Any] = {}
    for name in head.fitted:
        value = getattr(head, name)
        if name in LISTS:
            arrays.update({f"{name}{i}": array for i, array in enumerate(value)})
            values[name] = len(value)
        elif isinstance(value, np.ndarray):
            arrays[name] = value.astype(str) if value.dtype == object else value
        else:
            values[name] = value
    document = {"head": head.name, "parameters": head.get_params(), "values": values}
    arrays[DOCUMENT] = np.array(json.dumps(document))
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def loads(data: bytes, file: Path) -> Any:
    """Return the head in the bytes of a file.

    Raises:
        ModelError: it is no file of a head, or damaged.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            document = json.loads(str(archive[DOCUMENT]))
            head = classifiers.make(document["head"])
            parameters = document["parameters"]
            if "hidden" in parameters:
                parameters["hidden"] = tuple(parameters["hidden"])
            head.set_params(**parameters)
            values = document["values"]
            for name in head.fitted:
                if name in LISTS:
                    value = [archive[f"{name}{i}"] for i in range(values[name])]
                else:
                    value = archive[name] if name in archive else values[name]
                setattr(head, name, value)
    except (
        BadZipFile,
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        EOFError,
        OSError,
        UsageError,
    ) as error:
        raise ModelError(
            f"the model {file} is damaged or no model of embed; run `embed fit` again"
        ) from error
    return head
