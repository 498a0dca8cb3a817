"""What is to be looked at: pages and pictures that a notebook shows, and that can be kept as files."""

import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from embed import report

if TYPE_CHECKING:
    import pandas as pd

    from embed.api.tables import PhotographTable
    from embed.explain import Explained
    from embed.search import Layout, Matrix


class Page:
    """A page that needs nothing but itself.

    Attributes
    ----------
    html : str
    title : str
    """

    def __init__(self, html: str, title: str) -> None:
        self.html, self.title = html, title

    def __repr__(self) -> str:
        return f"<Page {self.title!r}: {len(self.html) / 1e6:.1f} MB>"

    def save(self, file: str | Path) -> Path:
        """Write it into a file, and return that.

        Raises
        ------
        InputError
            The file cannot be written.
        """
        report.write(Path(file), self.html)
        return Path(file)

    def show(self) -> None:
        """Open it in the browser, from a temporary file."""
        with tempfile.NamedTemporaryFile("wb", prefix="embed-", suffix=".html", delete=False) as file:
            file.write(self.html.encode())
        report.show(Path(file.name))

    def _repr_html_(self) -> str:
        return report.frame_html(self.html, self.title)


class Map:
    """Where photographs lie on a plane on which what is alike is close together.

    Attributes
    ----------
    table : DataFrame
        One row per photograph: path, label, x and y in [0, 1].
    left_out : int
        Photographs that are not on the map.
    method : str
        How they were placed.
    """

    def __init__(self, root: Path | str, layout: "Layout") -> None:
        self._root, self._layout = root, layout
        self.left_out, self.method = layout.left_out, layout.method

    def __repr__(self) -> str:
        return f"<Map of {len(self._layout.paths)} photographs by {self.method}>"

    @cached_property
    def table(self) -> "PhotographTable":
        """One row per photograph: path, label, x, y."""
        from embed.api import tables

        x, y = self._layout.positions.T.tolist()
        rows = list(zip(self._layout.paths, self._layout.labels, x, y, strict=True))
        return tables.table(self._root, rows, ("path", "label", "x", "y"))

    def page(self) -> Page:
        """Return it as a page: pointing at a photograph shows it, a click opens it."""
        return Page(report.map_page(self._root, self._layout), "Map of the features")

    def save(self, file: str | Path) -> Path:
        """Write it into a file, and return that.

        Parameters
        ----------
        file : path
            ``.png``, ``.svg`` or ``.pdf`` for a picture, ``.csv`` or ``.parquet`` for where the photographs lie, ``.html`` for the
            page.

        Raises
        ------
        UsageError
            Its name asks for something else.
        InputError
            It cannot be written.
        """
        file = Path(file)
        if file.suffix.lower() == ".html":
            return self.page().save(file)
        report.write(file, report.map_file(self._layout, report.format_of(file, report.MAP_FORMATS)))
        return file

    def _repr_html_(self) -> str:
        return report.pictures_html([(report.map_file(self._layout), repr(self))])


class SimilarityMatrix:
    """How similar a few photographs of each class are, or the means of the classes where there are many.

    Attributes
    ----------
    similarity : DataFrame
        The cosines, with the paths of the photographs as index and columns.
    labels : list of str
        Of these photographs.
    means : bool
        Whether it is about the means of the classes; each has one photograph then.
    """

    def __init__(self, root: Path | str, matrix: "Matrix") -> None:
        self._root, self._matrix = root, matrix
        self.labels, self.means = matrix.labels, matrix.means

    def __repr__(self) -> str:
        return f"<SimilarityMatrix of {len(self.labels)} photographs, {len(set(self.labels))} classes>"

    @cached_property
    def similarity(self) -> "pd.DataFrame":
        """The cosines of each photograph with each."""
        import pandas as pd

        paths = pd.Index(self._matrix.paths, dtype=object)
        return pd.DataFrame(self._matrix.similarity, index=paths, columns=paths)

    def save(self, file: str | Path) -> Path:
        """Write its picture into a file (``.png``, ``.svg``, ``.pdf``), and return that.

        Raises
        ------
        UsageError
            Its name asks for something else.
        InputError
            It cannot be written.
        """
        file = Path(file)
        report.write(file, report.matrix_picture(self._root, self._matrix, report.format_of(file)))
        return file

    def _repr_html_(self) -> str:
        return report.pictures_html([(report.matrix_picture(self._root, self._matrix), repr(self))])


class Explanations(Sequence["Explained"]):
    """Which parts of photographs speak for a class: one `Explained` for each, in order.

    A notebook shows each photograph beside its map.
    """

    def __init__(self, explained: Sequence["Explained"], fit: str, head: str) -> None:
        self._explained, self._fit, self._head = list(explained), fit, head

    def __repr__(self) -> str:
        return f"<Explanations of {len(self)} photograph{'s' * (len(self) != 1)} by {self._head}>"

    def __len__(self) -> int:
        return len(self._explained)

    @overload
    def __getitem__(self, place: int) -> "Explained": ...

    @overload
    def __getitem__(self, place: slice) -> "list[Explained]": ...

    def __getitem__(self, place: int | slice) -> Any:
        return self._explained[place]

    def save(self, destination: str | Path) -> list[Path]:
        """Write the pictures into a folder, or that of one photograph into a file (``.png``, ``.jpg``, ``.webp``).

        Returns
        -------
        list of Path
            The files, without what could not be read.

        Raises
        ------
        UsageError
            There are several photographs and one file.
        InputError
            A picture cannot be written.
        """
        written = report.write_pictures(self, Path(destination), self._fit, self._head)
        return [file for _, file in written if file is not None]

    def _repr_html_(self) -> str:
        return report.pictures_html(report.explained_pictures(self, self._fit, self._head))
