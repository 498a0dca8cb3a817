"""What the photographs of vectors are called: a list in a file, or one that a program hands over."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from embed import sources
from embed.errors import InputError
from embed.vectors import table
from embed.vectors.matrix import line


def read(paths: Any, path_column: str | None) -> Sequence[str]:
    """Return the names in order.

    Parameters
    ----------
    paths : path or sequence of str or of paths
        A file has one on each line; or it is a JSON list, a ``.npy`` array of text, or a table (CSV, TSV, Parquet) of which one
        column is taken.
    path_column : str, optional
        Of a table.

    Raises
    ------
    InputError
        They cannot be read.
    UsageError
        A column is needed, or there is none of that name.
    """
    if not isinstance(paths, (str, os.PathLike)):
        return [os.fspath(one) for one in paths]
    file = Path(paths)
    suffix = file.suffix.lower()
    if suffix in (".csv", ".tsv", ".parquet"):
        return table.paths(file, path_column)
    if suffix == ".npy":
        try:
            array = np.load(file, allow_pickle=False)
        except (ValueError, EOFError, OSError, MemoryError) as error:
            raise InputError(
                f"{file} holds no names that can be read ({line(error)}); write them into a text file, one on a line"
            ) from error
        if array.dtype.kind not in "US" or array.ndim != 1:
            raise InputError(f"{file} is an array of {array.dtype}, shape {array.shape}, not a list of names")
        return [os.fsdecode(name) for name in array.tolist()]
    data = sources.read_list(file)
    if suffix == ".json":
        try:
            names = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{file} is no JSON: {line(error)}") from error
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InputError(f"{file} is no JSON list of names")
        return names
    return sources.read_entries(data)
