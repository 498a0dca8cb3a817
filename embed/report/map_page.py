"""The map as a page: every photograph is a dot; where one looks closer, they are photographs."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from embed import sources
from embed.report.page import counted, data_uri, middle, render, visible
from embed.report.pictures import Progress, link_to, silent, thumbnails
from embed.report.plots import FADED, OTHER, colours
from embed.sources import Address

if TYPE_CHECKING:
    from embed.search import Layout

# Pixels of a small picture on a map of up to so many photographs: some 8 MB in all.
PIXELS = ((1_500, 128), (3_000, 96), (8_000, 64))
SEED = 0


def map_page(root: Path | str, layout: "Layout", progress: Progress = silent) -> str:
    """Return a page with a map of the photographs: pointing at one shows it, a click opens it.

    Up to 8,000 photographs are on the page as small pictures, drawn at random where there are more; the others are read from
    their files where the page lies on the same machine.

    Parameters
    ----------
    root : path, or URL as text
        The data folder, or where else the photographs are.
    layout : Layout
    progress : callable
        Is told what is done, and how many photographs of how many.
    """
    files = [*map(sources.locator(root), layout.paths)]
    colour_of = colours(layout.labels)
    names, shades = list(colour_of), list(colour_of.values())
    number = {label: i for i, label in enumerate(names)}
    labels = [len(names) if label is None else number.get(label, len(names)) for label in layout.labels]
    if len(names) in labels:
        names.append(OTHER)
        shades.append(FADED)
    counts = Counter(labels)
    folder = sources.address(root)
    paths = [visible(path) for path in layout.paths]
    # What lies in archives and elsewhere is on the page as a small picture only.
    base, link = "", {}
    if isinstance(folder, Path) and folder.is_dir():
        base = folder.absolute().as_uri().rstrip("/") + "/"
        link = _links(folder, files, layout.paths, paths)
    data = {
        "x": [round(float(x), 5) for x in layout.positions[:, 0]],
        "y": [round(float(y), 5) for y in layout.positions[:, 1]],
        "label": labels,
        "names": [visible(middle(name)) for name in names],
        "counts": [counts[i] for i in range(len(names))],
        "colours": shades,
        "path": paths,
        "base": base,
        "link": link,
        "picture": _pictures(files, progress),
    }
    left_out = f" {layout.left_out:,} more are not on the map." if layout.left_out else ""
    summary = (
        f"{counted(len(layout.paths), 'photograph')}; those that are alike lie close together. Point at one to see it, click to open"
        f" it; zoom with the wheel or two fingers; a click on a label hides it.{left_out}"
    )
    return render(
        "map.html",
        styles=("page.css", "map.css"),
        scripts=("map.js",),
        pictures="data: file:",
        title="Map of the features",
        summary=summary,
        data=data,
    )


def _links(folder: Path, files: list[Address], paths: list[str], shown: list[str]) -> dict[int, str]:
    """Return the addresses that the page cannot make of the name of a photograph, by the number of the photograph."""
    return {
        i: link_to(file)
        for i, (file, path, name) in enumerate(zip(files, paths, shown, strict=True))
        if path != name or file != folder / path
    }


def _pictures(files: list[Address], progress: Progress) -> list[str]:
    """Return a small picture of each photograph, or of as many as a page can carry, as the address of an image."""
    most, pixels = next((one for one in PIXELS if len(files) <= one[0]), PIXELS[-1])
    drawn: list[int] = np.sort(np.random.default_rng(SEED).permutation(len(files))[:most]).tolist()
    found: list[Any] = [""] * len(files)
    for i, one in zip(drawn, thumbnails([files[i] for i in drawn], pixels, progress), strict=True):
        found[i] = data_uri(one) if isinstance(one, bytes) else ""
    return found
