"""Small charts as inline SVG: they take the colours of the page, dark or light, and are sharp at any size."""

import math
from collections.abc import Sequence

from embed.report.page import text

WIDTH, HEIGHT = 480, 300  # of the drawing, in its own units; the page scales it
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 14, 46  # margins for ticks and names
GLYPH = 7.0  # mean width of a character of a legend, generous
LEGEND_LINE = 17


class Chart:
    """One pair of axes to draw on; `svg` returns the drawing.

    Args:
        x, y: range of each axis, (low, high).
        x_name, y_name: words beside the axes.
        log_y: whether y grows by powers of ten; its range then starts above zero.
        described: one sentence for those who cannot see it.
    """

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
        self.described = described
        self._marks: list[str] = []
        self._legend: list[tuple[str, str, bool]] = []
        self._axes = [self._x_axis(x_name), self._y_axis(y_name)]

    # ------------------------------------------------------------------ marks

    def line(self, xs: Sequence[float], ys: Sequence[float], style: str, name: str = "") -> None:
        """Draw a line through points; it is broken where a value is not a number."""
        pieces: list[list[str]] = [[]]
        for x, y in zip(xs, ys, strict=True):
            if math.isfinite(x) and math.isfinite(y):
                pieces[-1].append(f"{self._x(x):.1f},{self._y(y):.1f}")
            elif pieces[-1]:
                pieces.append([])
        self._marks += [
            f'<polyline class="mark {style}" points="{" ".join(piece)}"/>' for piece in pieces if piece
        ]
        if name:
            self._legend.append((style, name, False))

    def bars(self, edges: Sequence[float], heights: Sequence[float], style: str, name: str = "") -> None:
        """Draw bars between edges, one fewer than these, standing on the bottom of the chart."""
        floor = self._y(self.y_range[0])
        for low, high, value in zip(edges[:-1], edges[1:], heights, strict=True):
            top = self._y(value) if value > 0 or not self.log_y else floor
            if floor - top > 0:
                x = self._x(low)
                self._marks.append(
                    f'<rect class="bar {style}" x="{x:.1f}" y="{top:.1f}" width="{self._x(high) - x:.1f}"'
                    f' height="{floor - top:.1f}"/>'
                )
        if name:
            self._legend.append((style, name, True))

    def dot(self, x: float, y: float, style: str, radius: float = 4, title: str = "") -> None:
        """Draw a disc, with words that appear where the mouse rests on it."""
        hint = f"<title>{text(title)}</title>" if title else ""
        self._marks.append(
            f'<circle class="dot {style}" cx="{self._x(x):.1f}" cy="{self._y(y):.1f}" r="{radius:.1f}">{hint}</circle>'
        )

    def upright(self, x: float, low: float, high: float, style: str) -> None:
        """Draw a vertical line, an interval or a mark."""
        at = self._x(x)
        self._marks.append(
            f'<line class="mark {style}" x1="{at:.1f}" x2="{at:.1f}" y1="{self._y(low):.1f}" y2="{self._y(high):.1f}"/>'
        )

    def svg(self) -> str:
        """Return the drawing."""
        legend, columns = [], self._legend_columns()
        for i, (style, name, filled) in enumerate(self._legend):
            x, y = LEFT + columns[i][0], HEIGHT + 10 + LEGEND_LINE * columns[i][1]
            sample = (
                f'<rect class="bar {style}" x="{x}" y="{y - 9}" width="14" height="9"/>'
                if filled
                else f'<line class="mark {style}" x1="{x}" x2="{x + 16}" y1="{y - 4}" y2="{y - 4}"/>'
            )
            legend.append(f'{sample}<text x="{x + 21}" y="{y}">{text(name)}</text>')
        lines = columns[-1][1] + 1 if columns else 0
        height = HEIGHT + (4 + LEGEND_LINE * lines if lines else 0)
        return (
            f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{text(self.described)}">'
            + "".join([*self._axes, *self._marks, *legend])
            + "</svg>"
        )

    # ------------------------------------------------------------------ axes

    def _legend_columns(self) -> list[tuple[int, int]]:
        """Where each entry of the legend goes: (x, line)."""
        places, x, line = [], 0, 0
        for _, name, _ in self._legend:
            width = 21 + round(GLYPH * len(name)) + 16
            if x and x + width > WIDTH - LEFT:
                x, line = 0, line + 1
            places.append((x, line))
            x += width
        return places

    def _x(self, value: float) -> float:
        low, high = self.x_range
        return LEFT + (WIDTH - LEFT - RIGHT) * (value - low) / (high - low)

    def _y(self, value: float) -> float:
        low, high = self.y_range
        if self.log_y:
            value, low, high = (math.log10(max(number, self.y_range[0])) for number in (value, low, high))
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / (high - low)

    def _x_axis(self, name: str) -> str:
        bottom = HEIGHT - BOTTOM
        ticks = "".join(
            f'<text class="tick" text-anchor="middle" x="{self._x(at):.1f}" y="{bottom + 17}">{_number(at)}</text>'
            for at in nice_ticks(*self.x_range)
        )
        middle = (LEFT + WIDTH - RIGHT) / 2
        return (
            f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{bottom}" y2="{bottom}"/>{ticks}'
            f'<text text-anchor="middle" x="{middle}" y="{bottom + 37}">{text(name)}</text>'
        )

    def _y_axis(self, name: str) -> str:
        ticks = powers_of_ten(*self.y_range) if self.log_y else nice_ticks(*self.y_range)
        grid = "".join(
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{self._y(at):.1f}" y2="{self._y(at):.1f}"/>'
            f'<text class="tick" text-anchor="end" x="{LEFT - 7}" y="{self._y(at) + 4:.1f}">{_number(at)}</text>'
            for at in ticks
        )
        middle = (TOP + HEIGHT - BOTTOM) / 2
        return f'{grid}<text text-anchor="middle" transform="translate(13 {middle}) rotate(-90)">{text(name)}</text>'


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


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"
