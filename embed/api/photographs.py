"""The photographs of a feature set as a data scientist wants them: a matrix, labels, a table."""

import os
import reprlib
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embed import sources
from embed.arguments import Positive, Seed, checked
from embed.cache import FeatureCache, Recipe
from embed.errors import UsageError
from embed.labels import Labels, chosen, with_where
from embed.labels import of as labelled

if TYPE_CHECKING:
    import pandas as pd

    from embed.api.tables import PhotographTable

BLOCK_ROWS = 4096


class Photographs:
    """Some of the photographs of a feature set, in the order of their paths, with features, labels and splits.

    `Features.select` makes one. Everything is read when it is first asked for.

    Examples
    --------
    >>> test = embed.open("cache").select(split="test")
    >>> len(test), test.classes, test.X.shape
    (6, ['boat', 'fish', 'flower', 'house', 'sun', 'tree'], (6, 512))
    """

    def __init__(self, cache: FeatureCache, labels: str, rows: NDArray[np.int64] | None = None) -> None:
        self._cache = cache
        self._rule = labels
        self._rows = rows

    def __len__(self) -> int:
        return len(self._cache) if self._rows is None else len(self._rows)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.name}: {len(self)} × {self.dimension}>"

    @property
    def rows(self) -> NDArray[np.int64]:
        """Their positions in the feature set; int64 ndarray of shape (n,)."""
        return np.arange(len(self._cache)) if self._rows is None else self._rows

    @property
    def name(self) -> str:
        """Name of the feature set."""
        return self._cache.name

    @property
    def folder(self) -> Path:
        """Folder of the feature set."""
        return self._cache.folder

    @property
    def root(self) -> Path | str:
        """The data folder, archive or table, as it was called at the last extraction; a URL, as text, where it is elsewhere."""
        return self._cache.root

    @property
    def recipe(self) -> Recipe:
        """How the features were computed."""
        return self._cache.recipe

    @property
    def dimension(self) -> int:
        """Features of a photograph."""
        return self._cache.dimension

    @cached_property
    def X(self) -> NDArray[np.float32]:  # noqa: N802
        """The features, float32 ndarray of shape (n, d).

        Read from the disk, and checked, when it is first asked for; kept from then on. `blocks` reads a set that is
        larger than the memory.

        Raises
        ------
        CacheDamagedError
            A part of the cache is damaged.
        """
        return self._cache.X if self._rows is None else self._cache.rows(self._rows)

    @cached_property
    def paths(self) -> NDArray[np.object_]:
        """Paths relative to `root`, with "/" between folders; object ndarray of shape (n,) of str."""
        return self._of(self._cache.paths)

    @property
    def files(self) -> list[Path | str]:
        """Where the photographs are: n paths, or URLs as text. That of one in an archive goes on behind that of the archive."""
        return [*map(sources.locator(self.root), self.paths)]

    def locate(self, path: str) -> Path | str:
        """Return where a photograph is, by its path relative to `root`; whether it is there or not.

        Examples
        --------
        >>> features = embed.open("cache")
        >>> features.locate(features.paths[0]) == features.files[0]
        True
        """
        return sources.locator(self.root)(path)

    @cached_property
    def sha256(self) -> NDArray[np.uint8]:
        """What identifies the content of each photograph; uint8 ndarray of shape (n, 32)."""
        return self._of(self._cache.sha256)

    @cached_property
    def y(self) -> NDArray[np.object_]:
        """The labels; object ndarray of shape (n,) of str, None for a photograph without one.

        Raises
        ------
        InputError, LabelError
            The CSV file of the labels cannot be read, or contradicts itself.
        """
        return self._of(self._labels.labels)

    @cached_property
    def splits(self) -> NDArray[np.object_]:
        """The splits; object ndarray of shape (n,) of "train", "validation", "test" or None."""
        return self._of(self._labels.splits)

    @cached_property
    def columns(self) -> dict[str, NDArray[np.object_]]:
        """What the other columns of a table that labels say, and the photographs of themselves: name → object ndarray of shape (n,).

        The values are str, None for a photograph of which nothing is said.

        Examples
        --------
        >>> embed.open("cache").columns
        {}
        """
        return {name: self._of(values) for name, values in self._labels.columns.items()}

    @property
    def classes(self) -> list[str]:
        """The labels that occur, sorted."""
        return sorted({label for label in self.y if label is not None})

    @property
    def rule(self) -> str:
        """Where labels and splits come from, as it can be stored."""
        return self._rule

    @property
    def notes(self) -> list[str]:
        """What is to be noted of how the photographs got their labels and splits; sentences without a full stop."""
        return list(self._labels.notes)

    @property
    def labels_by_hand(self) -> bool:
        """Whether the labels are those given by hand."""
        return self._labels.by_hand

    @checked
    def select(
        self,
        *,
        label: str | Sequence[str] | None = None,
        split: str | Sequence[str] | None = None,
        where: str | None = None,
    ) -> "Photographs":
        """Return the photographs with one of these labels, in one of these splits, and as a condition says.

        Parameters
        ----------
        label : str or sequence of str, optional
            By default every photograph, with a label or without.
        split : str or sequence of str, optional
            Among "train", "validation" and "test"; by default every photograph, in a split or not.

        where : str, optional
            A condition on the columns of the table that labels, and on path, label and split, as in
            ``"site == 'A' and year >= 2020"``.

        Raises
        ------
        LabelError
            No photograph is in the split, or none that is has the label.
        UsageError
            There is no such split; the condition is none, or no photograph is as it says.

        Examples
        --------
        >>> features = embed.open("cache")
        >>> features.select(label=["boat", "fish"], split="train").classes
        ['boat', 'fish']
        >>> features.select(label="cat")
        Traceback (most recent call last):
            ...
        embed.errors.LabelError: No photograph is labelled 'cat'; there are 'boat', 'fish', 'flower', 'house', 'sun', 'tree'.
        """
        if where is not None:
            asked = labelled(self._cache, with_where(self._rule, where)).asked
            assert asked is not None  # there is a condition
            return self.take(self._of(asked)).select(label=label, split=split)
        return self.take(chosen(self.y, self.splits, label=_listed(label), split=_listed(split)))

    def take(self, rows: ArrayLike) -> "Photographs":
        """Return the photographs at these positions, or where a mask is true, in the order given.

        Parameters
        ----------
        rows : array of int, or of bool and shape (n,)

        Raises
        ------
        UsageError
            They are no such positions, or no mask of so many.

        Examples
        --------
        >>> features = embed.open("cache")
        >>> features.take([0, 5]).paths.tolist()
        ['test/boat/boat-000.jpg', 'test/tree/tree-000.jpg']
        >>> len(features.take(features.y == "fish"))
        4
        """
        try:
            wanted = np.asarray(rows)
        except ValueError:  # lists of several lengths
            wanted = np.empty((1, 1))
        n = len(self)
        if wanted.dtype == bool and wanted.shape == (n,):
            wanted = np.flatnonzero(wanted)
        elif not wanted.size:
            wanted = np.empty(0, np.int64)
        elif wanted.ndim != 1 or wanted.dtype.kind not in "iu" or wanted.min() < -n or wanted.max() >= n:
            raise UsageError(
                f"must be positions below {n}, or a mask of {n}, not {reprlib.repr(rows)}", "rows"
            )
        return Photographs(self._cache, self._rule, self.rows[wanted.astype(np.int64)])

    @checked
    def blocks(self, rows: Positive = BLOCK_ROWS) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Yield ``(first, X)`` for up to `rows` photographs at a time, in order.

        `first` is the position of the first one, `X` float32 of shape (≤ rows, d). No more than one block is in
        memory, however large the set is.

        Examples
        --------
        >>> features = embed.open("cache")
        >>> mean = sum(block.sum(axis=0) for first, block in features.blocks(rows=10)) / len(features)
        >>> bool(np.allclose(mean, features.X.mean(axis=0), atol=1e-6))
        True
        """
        for start in range(0, len(self), rows):
            stop = min(start + rows, len(self))
            wanted = np.arange(start, stop) if self._rows is None else self._rows[start:stop]
            yield start, self._cache.rows(wanted)

    @checked
    def to_dataframe(self, *, features: bool = False) -> "pd.DataFrame":
        """Return a pandas DataFrame with one row per photograph.

        Columns: path, label, split, sha256 (hexadecimal), bytes (size of the file), modified (UTC); with `features`
        also ``f0`` to ``f{d-1}``, float32. Where a table labels, its other columns as well, str; None without a row.

        Examples
        --------
        >>> table = embed.open("cache").to_dataframe()
        >>> table.groupby("label").size().to_dict()
        {'boat': 4, 'fish': 4, 'flower': 4, 'house': 4, 'sun': 4, 'tree': 4}
        >>> embed.open("cache").to_dataframe(features=True).shape
        (24, 518)
        """
        import pandas as pd

        # As objects: the strings of pandas hold no file name that is no UTF-8.
        texts = {"path": self.paths, "label": self.y, "split": self.splits}
        table = pd.DataFrame(
            {
                **{name: pd.Series(values, dtype=object) for name, values in texts.items()},
                "sha256": [digest.tobytes().hex() for digest in self.sha256],
                "bytes": self._of(self._cache.sizes),
                "modified": pd.to_datetime(self._of(self._cache.mtimes_ns), unit="ns", utc=True),
            }
        )
        for name, values in self.columns.items():
            if name not in table:
                table[name] = pd.Series(values, dtype=object)
        if not features:
            return table
        columns = [f"f{i}" for i in range(self.dimension)]
        return pd.concat([table, pd.DataFrame(self.X, columns=columns, copy=False)], axis=1)

    @checked
    def export(
        self, to: str | os.PathLike[str], format: str | None = None, *, overwrite: bool = False
    ) -> list[Path]:
        """Write features, paths, labels and splits into files for other programs; see `embed.api.export.FORMATS`.

        Parameters
        ----------
        to : path
            File, whose suffix says the format, or folder.
        format : {"npy", "csv", "parquet", "hdf5", "projector"}, optional
        overwrite : bool
            Replace also files of another name than `to`, as ``x.csv`` beside ``x.npy``, that are not as an export left
            them.

        Returns
        -------
        list of Path
            The files that were written.

        Raises
        ------
        UsageError
            The format is not known, or needs a package that is not installed; a file would be replaced unasked.
        InputError
            The file cannot be written.

        Examples
        --------
        >>> [file.name for file in embed.open("cache").export("features.npy")]
        ['features.npy', 'features.csv']
        """
        from embed.api.export import export

        return export(self, Path(to), format, overwrite=overwrite)

    @checked
    def clusters(self, groups: int | None = None, *, random_state: Seed = 0) -> "PhotographTable":
        """Group the photographs: what is alike is together. No label is needed.

        Parameters
        ----------
        groups : int, optional
            How many; by default as many as tell the photographs apart best.
        random_state : int
            The same features and the same seed give the same groups.

        Returns
        -------
        DataFrame
            One row per photograph, the largest group first and in it what is nearest to its centre: group (from 1),
            path, similarity (the cosine to the centre), label.

        Raises
        ------
        NoFeaturesError
            There is no photograph.
        UsageError
            So many groups cannot be.

        Examples
        --------
        >>> table = embed.open("cache").clusters(groups=6)
        >>> table.columns.tolist(), len(table), table["group"].nunique()
        (['group', 'path', 'similarity', 'label'], 24, 6)
        """
        from embed import search
        from embed.api import tables

        found = search.clusters(self._cache, groups, rows=self._rows, seed=random_state).groups
        rows = [
            (number, self._cache.path(row), similarity, self._labels.labels[row])
            for number, one in enumerate(found, 1)
            for row, similarity in zip(one.rows.tolist(), one.similarity.tolist(), strict=True)
        ]
        return tables.table(self.root, rows, ("group", "path", "similarity", "label"))

    @cached_property
    def _labels(self) -> Labels:
        return labelled(self._cache, self._rule)

    def _of(self, column: NDArray[Any]) -> NDArray[Any]:
        return column if self._rows is None else column[self._rows]


def _listed(given: str | Sequence[str] | None) -> Sequence[str] | None:
    return [given] if isinstance(given, str) else given
