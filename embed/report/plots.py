"""Pictures of what a search found, for files: PNG, or SVG and PDF to print."""

import io
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embed import sources
from embed.errors import UsageError
from embed.report.page import middle, visible
from embed.report.pictures import Progress, silent, thumbnails
from embed.sources import MARK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from embed.search import Layout, Matrix

FORMATS = {".png": "png", ".svg": "svg", ".pdf": "pdf"}
DOTS_PER_INCH = 150
MAP_INCHES = (9.0, 7.0)
CELL_INCHES = 0.28  # of a photograph in the matrix
LEAST_INCHES, MOST_INCHES = 4.0, 26.0
LONGEST_NAME = 30  # characters of a label
MOST_COLOURS = 20
MOST_DRAWN = (
    20_000  # photographs of a map that are drawn one by one into an SVG or PDF; more are one picture in it
)
FADED, OTHER = "#9a9a9a", "other"  # photographs without a label, and labels beyond the colours
PALETTE = (
    "#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#b07aa1", "#76b7b2", "#d4a017", "#9c755f", "#ff9da7", "#5b5bd6",
    "#86bc25", "#d37295", "#1b9e77", "#a6761d", "#7570b3", "#e7298a", "#66a61e", "#0e6ba8", "#c44536", "#6d6875",
)  # fmt: skip
STYLE = {
    "text.parse_math": False,  # a label may hold dollars
    "svg.hashsalt": "embed",  # the same picture is the same file
    "pdf.fonttype": 42,
}
# Undated, and marked so that no extraction takes a drawing for a photograph.
METADATA = {
    "png": {"Software": "embed"},
    "svg": {"Date": None, "Creator": MARK},
    "pdf": {"CreationDate": None, "Creator": MARK},
}


def format_of(file: Path, formats: Mapping[str, str] = FORMATS) -> str:
    """Return the format that the name of a file asks for; a PNG where it ends in nothing.

    Raises
    ------
    UsageError
        It asks for one that cannot be written.
    """
    suffix = file.suffix.lower()
    if suffix and suffix not in formats:
        known = ", ".join(formats)
        raise UsageError(f"{str(file)!r} asks for a file that cannot be made; it may end in {known}", "out")
    return formats.get(suffix, "png")


def colours(labels: Sequence[str | None]) -> dict[str, str]:
    """Return a colour for each label that occurs, the most frequent ones first where there are too many."""
    counts = Counter(label for label in labels if label is not None)
    frequent = sorted(counts, key=lambda label: (-counts[label], label))[:MOST_COLOURS]
    return dict(zip(sorted(frequent), PALETTE, strict=False))


def matrix_picture(
    root: Path | str, matrix: "Matrix", form: str = "png", progress: Progress = silent
) -> bytes:
    """Return the heat map of a similarity matrix with the photographs along its sides.

    Parameters
    ----------
    root : path, or URL as text
        The data folder, or where else the photographs are.
    matrix : Matrix
    form : {"png", "svg", "pdf"}
    progress : callable
        Is told what is done, and how many photographs of how many.
    """
    count = len(matrix.paths)
    side = float(np.clip(count * CELL_INCHES, LEAST_INCHES, MOST_INCHES))
    pixels = side / count * DOTS_PER_INCH
    with _figure((side + 3.0, side + 1.6), form) as (figure, axes, stream):
        lowest, highest = shade_range(matrix.similarity)
        drawn = axes.imshow(matrix.similarity, cmap="viridis", vmin=lowest, vmax=highest)
        extend = "max" if highest < 1 else "neither"
        what = "cosine similarity of the means" if matrix.means else "cosine similarity"
        figure.colorbar(drawn, ax=axes, shrink=0.6, label=what, extend=extend)
        starts = [0] + [i for i in range(1, count) if matrix.labels[i] != matrix.labels[i - 1]]
        for start in () if matrix.means else starts[1:]:
            axes.axhline(start - 0.5, color="white", linewidth=0.8)
            axes.axvline(start - 0.5, color="white", linewidth=0.8)
        ends = [*starts[1:], count]
        middles = [(start + end - 1) / 2 for start, end in zip(starts, ends, strict=True)]
        names = [_name(matrix.labels[start]) for start in starts]
        away = pixels * 72 / DOTS_PER_INCH + 6
        axes.set_xticks(middles, names, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(middles, names)
        axes.tick_params(length=0, pad=away)
        for spine in axes.spines.values():
            spine.set_visible(False)
        small = thumbnails(map(sources.locator(root), matrix.paths), max(8, round(pixels)), progress)
        _put_photographs(axes, small, away)
    return stream.getvalue()


def shade_range(similarity: np.ndarray) -> tuple[float, float]:
    """Return the tenths between which the similarities of different photographs lie; each with itself is 1 anyway."""
    others = similarity[~np.eye(len(similarity), dtype=bool)]
    if not len(others):
        return 0.0, 1.0
    lowest = np.floor(others.min() * 10) / 10
    return float(lowest), float(max(np.ceil(others.max() * 10) / 10, lowest + 0.1))


def map_picture(layout: "Layout", form: str = "png") -> bytes:
    """Return the map of the features, coloured by label; `form` is as for `matrix_picture`."""
    with _figure(MAP_INCHES, form) as (figure, axes, stream):
        colour_of = colours(layout.labels)
        for label in [*colour_of, None]:
            chosen = np.array([(one if one in colour_of else None) == label for one in layout.labels])
            if chosen.any():
                axes.scatter(
                    *layout.positions[chosen].T,
                    s=float(np.clip(40_000 / len(layout.paths), 1, 12)),  # points squared
                    linewidths=0,
                    alpha=0.8,
                    rasterized=len(layout.paths) > MOST_DRAWN,
                    color=FADED if label is None else colour_of[label],
                    label=OTHER if label is None else _name(label),
                )
        axes.set_aspect("equal")
        axes.set_axis_off()
        if colour_of:
            legend = figure.legend(loc="outside center right", frameon=False)
            for dot in legend.legend_handles:
                dot.set_sizes([40])
    return stream.getvalue()


@contextmanager
def _figure(inches: tuple[float, float], form: str) -> Iterator[tuple[Any, "Axes", io.BytesIO]]:
    """Give a figure and its axes to draw on, and where its file will be."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    stream = io.BytesIO()
    with rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a box stands for it
        figure = Figure(figsize=inches, dpi=DOTS_PER_INCH, layout="constrained")
        yield figure, figure.subplots(), stream
        figure.savefig(stream, format=form, metadata=METADATA[form])


def _put_photographs(axes: "Axes", small: Sequence[bytes | str], away: float) -> None:
    """Put photographs along the left side and the lower one of a matrix, `away` points deep."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage
    from PIL import Image

    for i, jpeg in enumerate(small):
        if isinstance(jpeg, str):
            continue  # an empty place says as much
        picture = np.asarray(Image.open(io.BytesIO(jpeg)))
        for place, offset in (((-0.5, i), (-away / 2, 0)), ((i, len(small) - 0.5), (0, -away / 2))):
            box = AnnotationBbox(
                OffsetImage(picture, zoom=72 / DOTS_PER_INCH),
                place,
                xybox=offset,
                boxcoords="offset points",
                frameon=False,
                pad=0,
                annotation_clip=False,
            )
            axes.add_artist(box)


def _name(label: str) -> str:
    return visible(middle(label, LONGEST_NAME))
