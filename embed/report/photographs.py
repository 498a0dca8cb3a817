"""Thumbnails on a page, within a budget: a page that grows with its data set cannot be opened on a telephone."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from embed.report import overlay
from embed.report.page import data_uri, text
from embed.report.thumbnails import Thumbnail, thumbnails

LARGE, SMALL = 240, 112  # pixels of the longer side: in a gallery, on a contact sheet
MOST_BYTES = 9_000_000  # of thumbnails on one page, as they are written


class Photographs:
    """Gives the thumbnails of photographs, each read once, until the budget is spent.

    Args:
        root: the data folder.
        fit: how photographs became squares for the backbone, for the maps that lie over them.
        most_bytes: the budget.

    Attributes:
        left_out: thumbnails that were asked for when nothing was left.
    """

    def __init__(self, root: Path, fit: str = "stretch", most_bytes: int = MOST_BYTES) -> None:
        self.root, self.fit, self.most_bytes = root, fit, most_bytes
        self.used = 0
        self.left_out = 0
        self._read: dict[tuple[str, int], Thumbnail] = {}

    def fetch(self, paths: Iterable[str], size: int = LARGE) -> None:
        """Read the thumbnails of several photographs side by side."""
        new = [path for path in dict.fromkeys(paths) if (path, size) not in self._read]
        read = thumbnails([self.root / path for path in new], size)
        self._read.update(((path, size), one) for path, one in zip(new, read, strict=True))

    def image(self, path: str, size: int = LARGE, heat: Iterable[tuple[str, np.ndarray]] = ()) -> str:
        """Return a photograph as HTML; or the reason why it is not shown.

        Args:
            path: relative to the data folder.
            size: pixels of the longer side.
            heat: (CSS class, cells) of the maps to lay over it.
        """
        self.fetch([path], size)
        one = self._read[path, size]
        if one.problem:
            return one.html
        if self.used + len(one.uri) > self.most_bytes:
            self.left_out += 1
            return "<span>left out: the page would be too large</span>"
        self.used += len(one.uri)
        layers = [one.html]
        for style, cells in heat:
            uri = data_uri(overlay.heat_png(cells, *one.open().size, self.fit), "image/png")
            self.used += len(uri)
            layers.append(f'<img alt="" class="heat {text(style)}" src="{uri}">')
        return "".join(layers)
