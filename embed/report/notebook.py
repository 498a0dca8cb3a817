"""What a notebook shows: tables with their photographs, pictures, and whole pages."""

import itertools
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from embed import sources
from embed.report.page import data_uri, environment
from embed.report.pictures import Pictures

ROWS = 12  # of a table
PIXELS = 72  # of a photograph in a table
FRAME_PIXELS = 640  # height of a page inside a notebook


def table_html(columns: Sequence[str], rows: Iterable[Sequence[Any]], root: Path | str, there: int) -> str:
    """Return the first rows of a table, each with its photograph.

    Parameters
    ----------
    columns : sequence of str
        One of them is "path".
    rows : iterable of sequences
    root : Path
        The folder that the paths are relative to.
    there : int
        Rows of the whole table.
    """
    file_of, place = sources.locator(root), list(columns).index("path")
    first = list(itertools.islice(rows, ROWS))
    paths = [str(row[place]) for row in first]
    pictures = Pictures(PIXELS, link=lambda file: "")
    pictures.fetch(map(file_of, paths))
    shown = [
        (pictures.get(file_of(path)), path, [_cell(value) for value in row])
        for path, row in zip(paths, first, strict=True)
    ]
    return environment().get_template("table.html").render(columns=columns, rows=shown, there=there)


def pictures_html(pictures: Iterable[tuple[bytes | None, str]], kind: str = "image/png") -> str:
    """Return pictures one below the other, each with its words; the words alone where there is no picture."""
    sources_of = [("" if content is None else data_uri(content, kind), words) for content, words in pictures]
    return environment().get_template("pictures.html").render(pictures=sources_of)


def frame_html(page: str, title: str) -> str:
    """Return a whole page as a frame in another one."""
    return environment().get_template("frame.html").render(page=page, title=title, height=FRAME_PIXELS)


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
