"""Small charts: where ticks, lines, bars and dots lie. ``templates/chart.html`` draws them as inline SVG."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from embed.report.page import middle

WIDTH, HEIGHT = 480, 300  # of the drawing, in its own units; the page scales it
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 14, 46  # margins for ticks and names
GLYPH = 7  # mean width of a character of a legend, generous
LONGEST_NAME = 40  # characters beside an axis or in the legend
LEGEND_LINE = 17
SAMPLE = 21  # width of the sample of a line or bar before its words


class Mark(NamedTuple):
    """A line through points, a bar (left, top, width, height) or a dot (x, y, radius)."""

    kind: str
    style: str  # its CSS classes
    points: list[tuple[float, ...]]
    title: str = ""


class Entry(NamedTuple):
    """An entry of the legend, at (x, y)."""

    style: str
    name: str
    filled: bool  # whether it is about bars
    x: int
    y: int


class Chart:
    """One pair of axes to draw on.

    Parameters
    ----------
    x, y : tuple of float
        Range of each axis, (low, high).
    x_name, y_name : str
        Words beside the axes.
    log_y : bool
        Whether y grows by powers of ten; its range then starts above zero.
    described : str
        One sentence for those who cannot see it.
    """

    width, left, right, top, bottom = WIDTH, LEFT, WIDTH - RIGHT, TOP, HEIGHT - BOTTOM
    sample = SAMPLE

    def __init__(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        x_name: str,
        y_name: str,
        *,
        log_y: bool = False,
        described: str = "",
    ) -> None:
        self.x_range, self.y_range, self.log_y = x, y, log_y
        self.x_name, self.y_name = middle(x_name, LONGEST_NAME), middle(y_name, LONGEST_NAME)
        self.described = described
        self.marks: list[Mark] = []
        self.legend: list[Entry] = []
        self.x_ticks = [(self._x(at), _number(at)) for at in nice_ticks(*x)]
        numbers = powers_of_ten(*y) if log_y else nice_ticks(*y)
        self.y_ticks = [(self._y(at), _number(at)) for at in numbers]

    @property
    def height(self) -> float:
        """Of the drawing, with its legend."""
        return self.legend[-1].y + 11 if self.legend else HEIGHT

    def line(self, xs: Sequence[float], ys: Sequence[float], style: str, name: str = "") -> None:
        """Draw a line through points; it is broken where a value is not a number."""
        pieces: list[list[tuple[float, ...]]] = [[]]
        for x, y in zip(xs, ys, strict=True):
            if math.isfinite(x) and math.isfinite(y):
                pieces[-1].append((self._x(x), self._y(y)))
            elif pieces[-1]:
                pieces.append([])
        self.marks += [Mark("line", style, piece) for piece in pieces if piece]
        self._explain(style, name, filled=False)

    def bars(self, edges: Sequence[float], heights: Sequence[float], style: str, name: str = "") -> None:
        """Draw bars between edges, one fewer than these, standing on the bottom of the chart."""
        for low, high, value in zip(edges[:-1], edges[1:], heights, strict=True):
            top = self._y(value) if value > 0 or not self.log_y else self.bottom
            if top < self.bottom:
                x = self._x(low)
                box = (x, top, round(self._x(high) - x, 1), round(self.bottom - top, 1))
                self.marks.append(Mark("bar", style, [box]))
        self._explain(style, name, filled=True)

    def dot(self, x: float, y: float, style: str, radius: float = 4, title: str = "") -> None:
        """Draw a disc, with words that appear where the mouse rests on it."""
        self.marks.append(Mark("dot", style, [(self._x(x), self._y(y), round(radius, 1))], title))

    def upright(self, x: float, low: float, high: float, style: str) -> None:
        """Draw a vertical line, an interval or a mark."""
        self.line([x, x], [low, high], style)

    def _explain(self, style: str, name: str, *, filled: bool) -> None:
        """Put words into the legend: beside those before them where there is room, or below."""
        if not name:
            return
        name = middle(name, LONGEST_NAME)
        x, y = LEFT, HEIGHT + 10
        if self.legend:
            last = self.legend[-1]
            x, y = last.x + _room(last.name), last.y
            if x + _room(name) > WIDTH:
                x, y = LEFT, y + LEGEND_LINE
        self.legend.append(Entry(style, name, filled, x, y))

    def _x(self, value: float) -> float:
        low, high = self.x_range
        return round(LEFT + (self.right - LEFT) * (value - low) / (high - low), 1)

    def _y(self, value: float) -> float:
        low, high = self.y_range
        if self.log_y:
            value, low, high = (math.log10(max(number, self.y_range[0])) for number in (value, low, high))
        return round(self.bottom - (self.bottom - TOP) * (value - low) / (high - low), 1)


def nice_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return at most about `most` round numbers from low to high, a step of 1, 2 or 5 times a power of ten apart."""
    raw = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * next(nice for nice in (1, 2, 5, 10) if nice * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def powers_of_ten(low: float, high: float) -> list[float]:
    """Return the powers of ten from low to high."""
    powers = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    return [10.0**power for power in powers]


def _room(name: str) -> int:
    return SAMPLE + GLYPH * len(name) + 16


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"
