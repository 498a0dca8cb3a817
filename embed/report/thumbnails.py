"""Thumbnails of many photographs, read side by side."""

import io
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image

from embed import images
from embed.errors import ImageError
from embed.report.page import data_uri, text

THREADS = 4


@dataclass(frozen=True)
class Thumbnail:
    """A small JPEG, or the reason why there is none."""

    jpeg: bytes = b""
    problem: str = ""

    @property
    def uri(self) -> str:
        """The picture as a data URI; "" where there is none."""
        return data_uri(self.jpeg) if self.jpeg else ""

    @property
    def html(self) -> str:
        """The picture as HTML, or the reason."""
        return f"<span>{text(self.problem)}</span>" if self.problem else f'<img alt="" src="{self.uri}">'

    def open(self) -> Image.Image:
        """Return the picture."""
        return Image.open(io.BytesIO(self.jpeg))


def thumbnails(files: Iterable[Path], size: int) -> list[Thumbnail]:
    """Return the thumbnail of each file, no wider and no higher than `size` pixels."""
    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(partial(_thumbnail, size=size), files))


def _thumbnail(file: Path, size: int) -> Thumbnail:
    try:
        return Thumbnail(images.thumbnail(file, size))
    except ImageError as error:
        return Thumbnail(problem=str(error))
