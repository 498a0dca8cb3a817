"""Photographs on a page: small, inside it, and within a budget."""

import io
import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL import Image

from embed import images
from embed.errors import ImageError
from embed.report import overlay
from embed.report.page import data_uri
from embed.sources import Address, own_file

THREADS = 4
LOADING = "Reading the photographs"
Progress = Callable[[str, int, int], None]  # is told what is done, and how many of how many


def silent(what: str, done: int, total: int) -> None:
    """Say nothing of what is done."""


def link_to(photograph: Address) -> str:
    """Return the address at which a browser opens a photograph; nothing for one that lies in an archive or an object store."""
    file = own_file(photograph)
    return "" if file is None else file.absolute().as_uri()


@dataclass(frozen=True)
class Picture:
    """A photograph on a page, or the reason why it is not shown."""

    source: str = ""
    problem: str = ""
    link: str = ""  # address of the whole photograph
    heat: tuple[tuple[str, str], ...] = ()  # (CSS class, source) of the maps over it


@dataclass(frozen=True)
class Card:
    """A photograph and the words below it."""

    picture: Picture
    path: str  # as it is to be read
    name: str = ""  # in bold
    figure: str = ""  # similarity or probability
    note: tuple[str, ...] = ()  # words, and names apart from them: they may run from right to left
    tone: str = ""  # of the name: "good", "bad" or neither
    lead: bool = False  # framed: what the others of its group are compared with
    label: str = ""  # the one that was given, where a model judges it
    predicted: str = ""  # what the model says then
    sure: float = 0.0  # its probability


class Pictures:
    """Gives the pictures of photographs, each read once, until a budget is spent.

    Parameters
    ----------
    size : int
        Pixels of the longer side, unless told otherwise.
    fit : {"stretch", "crop", "pad"}
        How photographs became squares for the backbone, for the maps that lie over them.
    most_bytes : float
        Of pictures on one page, as they are written; by default without end.
    link : callable
        Gives the address of a photograph.
    progress : callable
        Is told what is done, and how many photographs of how many.

    Attributes
    ----------
    left_out : int
        Photographs that were asked for when nothing was left.
    """

    def __init__(
        self,
        size: int,
        fit: str = "stretch",
        most_bytes: float = math.inf,
        link: Callable[[Address], str] = link_to,
        progress: Progress = silent,
    ) -> None:
        self.size, self.fit, self.most_bytes, self.link = size, fit, most_bytes, link
        self.progress = progress
        self.used = 0
        self.left_out = 0
        self._read: dict[tuple[Address, int], bytes | str] = {}

    def fetch(self, files: Iterable[Address], size: int | None = None) -> None:
        """Read several photographs side by side."""
        size = size or self.size
        new = [file for file in dict.fromkeys(files) if (file, size) not in self._read]
        read = thumbnails(new, size, self.progress)
        self._read.update(((file, size), one) for file, one in zip(new, read, strict=True))

    def get(
        self, file: Address, size: int | None = None, heat: Iterable[tuple[str, np.ndarray]] = ()
    ) -> Picture:
        """Return the picture of a photograph, with maps of its cells over it as (CSS class, cells)."""
        self.fetch([file], size)
        jpeg = self._read[file, size or self.size]
        if isinstance(jpeg, str):
            return Picture(problem=jpeg)
        source = data_uri(jpeg)
        if self.used + len(source) > self.most_bytes:
            self.left_out += 1
            return Picture(problem="left out: the page would be too large", link=self.link(file))
        width, height = Image.open(io.BytesIO(jpeg)).size
        maps = [
            (style, data_uri(overlay.heat_png(cells, width, height, self.fit), "image/png"))
            for style, cells in heat
        ]
        self.used += len(source) + sum(len(one) for _, one in maps)
        return Picture(source, link=self.link(file), heat=tuple(maps))


def thumbnails(files: Iterable[Address], size: int, progress: Progress = silent) -> list[bytes | str]:
    """Return each photograph as a JPEG no wider and no higher than `size` pixels, or why it cannot be had."""
    files = list(files)
    read: list[bytes | str] = []
    with ThreadPoolExecutor(THREADS) as threads:
        for one in threads.map(partial(_thumbnail, size=size), files):
            read.append(one)
            progress(LOADING, len(read), len(files))
    return read


def _thumbnail(file: Address, size: int) -> bytes | str:
    try:
        return images.thumbnail(file, size)
    except ImageError as error:
        return str(error)
