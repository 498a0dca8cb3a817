"""Pictures of what a search found, as PNG."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from embed.report.thumbnails import thumbnails
from embed.search import Layout, Matrix

DOTS_PER_INCH = 150
MAP_INCHES = (9.0, 7.0)
CELL_INCHES = 0.28  # of a photograph in the matrix
LEAST_INCHES, MOST_INCHES = 4.0, 26.0
MOST_COLOURS = 20
FADED, OTHER = "#9a9a9a", "other"  # photographs without a label, and labels beyond the colours
PALETTE = (
    "#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#b07aa1", "#76b7b2", "#d4a017", "#9c755f", "#ff9da7", "#5b5bd6",
    "#86bc25", "#d37295", "#1b9e77", "#a6761d", "#7570b3", "#e7298a", "#66a61e", "#0e6ba8", "#c44536", "#6d6875",
)  # fmt: skip


def colours(labels: Sequence[str | None]) -> dict[str, str]:
    """Return a colour for each label that occurs, the most frequent ones first where there are too many."""
    named = [label for label in labels if label is not None]
    frequent = sorted(set(named), key=lambda label: (-named.count(label), label))[:MOST_COLOURS]
    return dict(zip(sorted(frequent), PALETTE, strict=False))


def similarity_matrix(root: Path, matrix: Matrix) -> bytes:
    """Return the heat map of a similarity matrix with the photographs along its sides, as PNG."""
    from matplotlib.figure import Figure
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    count = len(matrix.paths)
    side = float(np.clip(count * CELL_INCHES, LEAST_INCHES, MOST_INCHES))
    pixels = side / count * DOTS_PER_INCH
    figure = Figure(figsize=(side + 3.0, side + 1.6), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    lowest, highest = shade_range(matrix.similarity)
    drawn = axes.imshow(matrix.similarity, cmap="viridis", vmin=lowest, vmax=highest)
    extend = "max" if highest < 1 else "neither"
    figure.colorbar(drawn, ax=axes, shrink=0.6, label="cosine similarity", extend=extend)
    starts = [0] + [i for i in range(1, count) if matrix.labels[i] != matrix.labels[i - 1]]
    for start in starts[1:]:
        axes.axhline(start - 0.5, color="white", linewidth=0.8)
        axes.axvline(start - 0.5, color="white", linewidth=0.8)
    ends = [*starts[1:], count]
    middles = [(start + end - 1) / 2 for start, end in zip(starts, ends, strict=True)]
    names = [_plain(matrix.labels[start]) for start in starts]
    away = pixels * 72 / DOTS_PER_INCH + 6
    axes.set_xticks(middles, names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(middles, names)
    axes.tick_params(length=0, pad=away)
    for spine in axes.spines.values():
        spine.set_visible(False)
    small = thumbnails([root / path for path in matrix.paths], max(8, round(pixels)))
    for i, thumbnail in enumerate(small):
        if thumbnail.problem:
            continue  # an empty place says as much
        picture = np.asarray(thumbnail.open())
        zoom = 72 / DOTS_PER_INCH
        for place, offset in (((-0.5, i), (-away / 2, 0)), ((i, count - 0.5), (0, -away / 2))):
            box = AnnotationBbox(
                OffsetImage(picture, zoom=zoom),
                place,
                xybox=offset,
                boxcoords="offset points",
                frameon=False,
                pad=0,
                annotation_clip=False,
            )
            axes.add_artist(box)
    return _png(figure)


def shade_range(similarity: np.ndarray) -> tuple[float, float]:
    """Return the tenths between which the similarities of different photographs lie; each with itself is 1 anyway."""
    others = similarity[~np.eye(len(similarity), dtype=bool)]
    if not len(others):
        return 0.0, 1.0
    lowest = np.floor(others.min() * 10) / 10
    return float(lowest), float(max(np.ceil(others.max() * 10) / 10, lowest + 0.1))


def feature_map(layout: Layout) -> bytes:
    """Return the map of the features, coloured by label, as PNG."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=MAP_INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.subplots()
    colour_of = colours(layout.labels)
    for label in [*colour_of, None]:
        chosen = np.array([(found if found in colour_of else None) == label for found in layout.labels])
        if chosen.any():
            axes.scatter(
                *layout.positions[chosen].T,
                s=12,
                linewidths=0,
                alpha=0.8,
                color=FADED if label is None else colour_of[label],
                label=OTHER if label is None else _plain(label),
            )
    axes.set_aspect("equal")
    axes.set_axis_off()
    if colour_of:
        figure.legend(loc="outside center right", frameon=False, markerscale=2)
    return _png(figure)


def _png(figure: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def _plain(label: str) -> str:
    """Return a label that Matplotlib neither reads as mathematics nor fails to draw."""
    visible = "".join(c if c.isprintable() else "?" for c in label)
    return visible.replace("$", r"\$")
