"""A small data set drawn on the spot, and the tour over it.

Six things in many colours, sizes and weathers, partly hidden and out of focus: easy enough for a few kilobytes of
features, hard enough that no classifier gets them all.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from embed.errors import InputError

SIDE = 160  # pixels, width and height of a picture
DRAWN_AT = 2  # drawn this many times larger and scaled down: smooth edges
TRAIN, TEST = 30, 12  # pictures per class

Colour = tuple[int, int, int]
Point = tuple[float, float]


class Brush:
    """Draws in a unit square centred on the origin, placed somewhere in the picture, turned and scaled."""

    def __init__(self, image: Image.Image, centre: Point, scale: float, angle: float) -> None:
        self.draw = ImageDraw.Draw(image)
        self.centre = np.asarray(centre)
        self.scale = scale
        self.turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        """Fill a polygon."""
        placed = np.asarray(points) @ self.turn.T * self.scale + self.centre
        self.draw.polygon([tuple(point) for point in placed.tolist()], fill=colour)

    def ellipse(self, centre: Point, radii: Point, colour: Colour) -> None:
        """Fill an ellipse whose axes turn with the brush."""
        t = np.linspace(0, 2 * np.pi, 40)
        self.polygon(
            [(centre[0] + radii[0] * np.cos(a), centre[1] + radii[1] * np.sin(a)) for a in t.tolist()], colour
        )


def _boat(brush: Brush, colour: Callable[[], Colour]) -> None:
    brush.polygon([(-0.5, 0.15), (0.5, 0.15), (0.3, 0.42), (-0.3, 0.42)], colour())
    brush.polygon([(-0.03, 0.15), (-0.03, -0.5), (0.03, -0.5), (0.03, 0.15)], colour())
    brush.polygon([(0.06, -0.48), (0.42, 0.08), (0.06, 0.08)], colour())
    brush.polygon([(-0.06, -0.35), (-0.36, 0.08), (-0.06, 0.08)], colour())


def _fish(brush: Brush, colour: Callable[[], Colour]) -> None:
    body = colour()
    brush.polygon([(0.2, 0.0), (0.5, -0.25), (0.43, 0.0), (0.5, 0.25)], colour())
    brush.polygon([(-0.1, -0.15), (0.05, -0.38), (0.18, -0.1)], body)
    brush.ellipse((-0.08, 0.0), (0.38, 0.22), body)
    brush.ellipse((-0.3, -0.06), (0.05, 0.05), (245, 245, 240))
    brush.ellipse((-0.31, -0.06), (0.025, 0.025), (15, 15, 20))


def _flower(brush: Brush, colour: Callable[[], Colour]) -> None:
    petal = colour()
    brush.polygon([(-0.02, 0.0), (0.03, 0.0), (0.05, 0.5), (0.0, 0.5)], (50, 110, 45))
    for angle in np.arange(6) * np.pi / 3:
        brush.ellipse((0.2 * np.cos(angle), -0.15 + 0.2 * np.sin(angle)), (0.14, 0.14), petal)
    brush.ellipse((0.0, -0.15), (0.12, 0.12), colour())


def _house(brush: Brush, colour: Callable[[], Colour]) -> None:
    brush.polygon([(-0.38, -0.05), (0.38, -0.05), (0.38, 0.45), (-0.38, 0.45)], colour())
    brush.polygon([(-0.5, -0.05), (0.0, -0.48), (0.5, -0.05)], colour())
    brush.polygon([(-0.08, 0.15), (0.1, 0.15), (0.1, 0.45), (-0.08, 0.45)], colour())
    pane = colour()
    for x in (-0.3, 0.18):
        brush.polygon([(x, 0.06), (x + 0.13, 0.06), (x + 0.13, 0.2), (x, 0.2)], pane)


def _sun(brush: Brush, colour: Callable[[], Colour]) -> None:
    ray = colour()
    for angle in np.arange(10) * np.pi / 5:
        tip = (0.5 * np.cos(angle), 0.5 * np.sin(angle))
        side = (0.06 * -np.sin(angle), 0.06 * np.cos(angle))
        foot = (0.3 * np.cos(angle), 0.3 * np.sin(angle))
        brush.polygon(
            [(foot[0] + side[0], foot[1] + side[1]), tip, (foot[0] - side[0], foot[1] - side[1])], ray
        )
    brush.ellipse((0.0, 0.0), (0.26, 0.26), colour())


def _tree(brush: Brush, colour: Callable[[], Colour]) -> None:
    brush.polygon([(-0.06, 0.1), (0.06, 0.1), (0.09, 0.5), (-0.09, 0.5)], (90, 62, 40))
    leaves = colour()
    for centre, radius in (
        ((0.0, -0.28), 0.2),
        ((-0.18, -0.08), 0.2),
        ((0.19, -0.06), 0.19),
        ((0.0, 0.02), 0.2),
    ):
        brush.ellipse(centre, (radius, radius), leaves)


DRAWINGS: dict[str, Callable[[Brush, Callable[[], Colour]], None]] = {
    "boat": _boat,
    "fish": _fish,
    "flower": _flower,
    "house": _house,
    "sun": _sun,
    "tree": _tree,
}


def _colour(rng: np.random.Generator) -> Colour:
    red, green, blue = rng.integers(20, 236, 3).tolist()
    return red, green, blue


def _background(rng: np.random.Generator) -> Image.Image:
    """Clouds of two colours: noise at three scales, between one colour and another."""
    clouds = np.zeros((SIDE, SIDE), np.float32)
    for cells, weight in ((3, 0.6), (9, 0.3), (40, 0.15)):
        noise = Image.fromarray(rng.random((cells, cells), dtype=np.float32))
        clouds += weight * np.asarray(noise.resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    low, high = np.asarray(_colour(rng), np.float32), np.asarray(_colour(rng), np.float32)
    pixels = low + (high - low) * np.clip(clouds, 0, 1)[..., None]
    return Image.fromarray(pixels.astype(np.uint8))


def picture(name: str, rng: np.random.Generator) -> Image.Image:
    """Draw one RGB picture of ``SIDE`` by ``SIDE`` pixels.

    Parameters
    ----------
    name : str
        One of `DRAWINGS`.
    rng : Generator
        Decides colours, sizes, weather and what is in the way.
    """
    side = SIDE * DRAWN_AT
    image = _background(rng).resize((side, side), Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(image)
    for _ in range(rng.integers(2, 7)):  # clutter behind
        x, y = rng.uniform(0, side, 2)
        r = rng.uniform(0.03, 0.12) * side
        draw.ellipse([x - r, y - r * rng.uniform(0.3, 1), x + r, y + r], fill=_colour(rng))
    x, y = rng.uniform(0.32, 0.68, 2) * side
    brush = Brush(image, (x, y), rng.uniform(0.4, 0.85) * side, rng.normal(0, 0.35))
    DRAWINGS[name](brush, lambda: _colour(rng))
    for _ in range(rng.integers(1, 4)):  # something in front
        points = np.asarray((x, y)) + rng.normal(0, 0.22, 2) * side + rng.normal(0, 0.09, (3, 2)) * side
        draw.polygon([tuple(point) for point in points.tolist()], fill=_colour(rng))
    image = image.resize((SIDE, SIDE), Image.Resampling.BOX)
    image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 1.6)))
    grain = rng.standard_normal((SIDE, SIDE, 3), dtype=np.float32)
    noisy = np.asarray(image) + np.float32(rng.uniform(2, 14)) * grain
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def draw(folder: Path, *, train: int = TRAIN, test: int = TEST, seed: int = 0) -> int:
    """Draw the data set into ``folder/train/CLASS`` and ``folder/test/CLASS`` as JPEGs.

    The same seed draws the same pictures; a picture does not depend on how many others there are.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    train, test : int
        Pictures of each class.
    seed : int

    Returns
    -------
    int
        How many pictures there are.

    Raises
    ------
    InputError
        They cannot be written.
    """
    count = 0
    for split_number, (split, pictures) in enumerate((("train", train), ("test", test))):
        for label_number, label in enumerate(DRAWINGS):
            place = folder / split / label
            try:
                place.mkdir(parents=True, exist_ok=True)
                for number in range(pictures):
                    rng = np.random.default_rng([seed, split_number, label_number, number])
                    picture(label, rng).save(place / f"{label}-{number:03}.jpg", quality=90)
                    count += 1
            except OSError as error:
                raise InputError(f"cannot draw pictures into {place}: {error.strerror or error}") from error
    return count


def tour(data: Path, cache: Path, backbone: str) -> list[list[str]]:
    """Return the commands of the tour over a data set that `draw` made.

    Parameters
    ----------
    data : Path
        What was drawn.
    cache : Path
        Folder for the feature sets; the report is written beside it.
    backbone : str

    Returns
    -------
    list of list of str
        Arguments of ``embed``.
    """
    at = ["--cache", str(cache)]
    picture = str(data / "test" / "fish" / "fish-000.jpg")
    heads = ("dummy", "knn", "svm", "dense", "logistic")
    return [
        ["extract", str(data), "--backbone", backbone, *at],
        ["extract", str(data), "--backbone", backbone, *at],
        *(["fit", "--clf", head, *at] for head in heads),
        ["predict", picture, *at],
        ["similar", picture, "-k", "5", *at],
        ["info", *at],
        ["report", "--out", str(cache.parent / "report.html"), *at],
    ]
