"""The map as a file: a picture, or where the photographs lie as a table."""

import io
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from embed.errors import UsageError
from embed.files import write_rows
from embed.report.plots import FORMATS, map_picture

if TYPE_CHECKING:
    from embed.search import Layout

MAP_FORMATS = {**FORMATS, ".csv": "csv", ".parquet": "parquet"}
COLUMNS = ("path", "label", "x", "y")


def map_file(layout: "Layout", form: str = "png") -> bytes:
    """Return the content of a file with the map.

    Parameters
    ----------
    layout : Layout
    form : {"png", "svg", "pdf", "csv", "parquet"}
        The last two hold path, label, x and y of each photograph.

    Raises
    ------
    UsageError
        Parquet needs a package that is not installed.
    """
    if form == "csv":
        text = io.StringIO(newline="")
        write_rows(text, COLUMNS, _rows(layout))
        return text.getvalue().encode("utf-8", "surrogateescape")
    return _parquet(layout) if form == "parquet" else map_picture(layout, form)


def _rows(layout: "Layout") -> Iterator[tuple[str, str | None, float, float]]:
    for path, label, (x, y) in zip(layout.paths, layout.labels, layout.positions.tolist(), strict=True):
        yield path, label, round(x, 6), round(y, 6)


def _parquet(layout: "Layout") -> bytes:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError("'.parquet' needs pyarrow: pip install 'embed-images[parquet]'", "out") from error
    texts = [
        # A byte of a file name that is no UTF-8 becomes \xNN.
        pa.array(
            [None if one is None else os.fsencode(one).decode("utf-8", "backslashreplace") for one in column]
        )
        for column in (layout.paths, layout.labels)
    ]
    stream = io.BytesIO()
    columns = [*texts, *(pa.array(column) for column in layout.positions.T)]
    parquet.write_table(pa.table(dict(zip(COLUMNS, columns, strict=True))), stream)
    return stream.getvalue()
