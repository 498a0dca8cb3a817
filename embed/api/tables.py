"""Tables of photographs, which a notebook shows with them."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pandas as pd

NUMBERS = {"similarity", "probability", "suggested_probability", "doubt", "x", "y"}
WHOLE = {"group", "rank"}


class PhotographTable(pd.DataFrame):
    """A DataFrame with one row for each photograph, named in the column path.

    A notebook shows the photographs of the first rows. ``attrs["photographs"]`` is the folder that the paths are relative to.
    """

    @property
    def _constructor(self) -> type["PhotographTable"]:
        return PhotographTable

    def _repr_html_(self) -> str | None:
        if "photographs" not in self.attrs or "path" not in self.columns:
            return super()._repr_html_()
        from embed.report import table_html

        columns = [str(name) for name in self.columns]
        rows = self.itertuples(index=False, name=None)
        return table_html(columns, rows, self.attrs["photographs"], len(self))


def table(
    root: Path | str, rows: Sequence[Sequence[Any]], columns: Sequence[str], **attrs: Any
) -> PhotographTable:
    """Return rows as a table of photographs.

    Parameters
    ----------
    root : path, or URL as text
        The folder that the paths are relative to, or where else the photographs are.
    rows : sequence of sequences
    columns : sequence of str
    **attrs
        What is to be known of the whole table.
    """
    # As objects: the strings of pandas hold no file name that is no UTF-8.
    made = PhotographTable(list(rows), columns=list(columns), dtype=object)
    numbers = {name: "int64" if name in WHOLE else "float64" for name in columns if name in NUMBERS | WHOLE}
    made = made.astype(numbers)
    made.attrs = {"photographs": str(root), **attrs}
    return made


def of_results(root: Path | str, results: Sequence[Any], kind: type[Any], **attrs: Any) -> PhotographTable:
    """Return results of one dataclass as a table of photographs, with a column for each of its fields."""
    columns = [one.name for one in fields(kind)]
    return table(root, [[getattr(one, name) for name in columns] for one in results], columns, **attrs)
