"""Templates become pages: one self-contained HTML file each, dark or light as the reader's system is.

Whatever a template shows is escaped, and written so that it can be seen (`visible`). The page forbids itself to load
anything and to obey any style or script but its own, which it names by their hashes: a hostile name is shown and does
nothing.
"""

import base64
import hashlib
import math
import webbrowser
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embed import __version__

if TYPE_CHECKING:
    from jinja2 import Environment

    from embed.report.chart import Chart

LONGEST_NAME = 120  # characters of a name on a page; a longer one is cut in the middle


def render(
    template: str,
    *,
    styles: Sequence[str] = ("page.css",),
    scripts: Sequence[str] = (),
    pictures: str = "data:",
    **values: Any,
) -> str:
    """Return a whole page.

    Parameters
    ----------
    template : str
        File in ``templates/`` that extends ``page.html``.
    styles, scripts : sequence of str
        Files in ``assets/`` that go into the page, in this order.
    pictures : str
        Where the page may take pictures from, as a policy says it.
    **values
        What the template shows: ``title`` and ``summary`` in plain text, and its own.
    """
    made = environment().get_template(template)
    return made.render(style=_asset(styles), script=_asset(scripts), pictures=pictures, **values)


def chart_file(chart: "Chart") -> bytes:
    """Return a chart as an SVG file of its own, in light colours."""
    css = _asset(("chart.css",))["text"]
    return environment().get_template("chart.svg").render(chart=chart, css=css).encode()


@cache
def environment() -> "Environment":
    """Return the environment that all templates share: everything is escaped, and nothing may be undefined."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("embed.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(counted=counted, decimals=decimals, middle=middle, share=share, sure=sure)
    made.globals.update(version=__version__)
    return made


def visible(value: Any) -> Any:
    """Return a value; of a string each character that cannot be seen, or turns others around, as its escape.

    Bytes of a file name that are no UTF-8 are such characters too, so that any page can be encoded.
    """
    if not isinstance(value, str) or hasattr(value, "__html__") or value.isprintable():
        return value
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in value
    )


def middle(name: str, longest: int = LONGEST_NAME) -> str:
    """Return a name without its middle where it has more characters than `longest`."""
    half = longest // 2
    return name if len(name) <= longest else f"{name[:half]} … {name[-half:]}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, in the plural where it is one."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def share(value: float | None, digits: int = 1) -> str:
    """Return a share in per cent, a dash where it is not defined."""
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}%}"


def sure(probability: float) -> str:
    """Return a probability in per cent, never as certainty where it is none: more than 99.9 %, less than 0.1 %."""
    if 0.999 < probability < 1 or 0 < probability < 0.001:
        return "more than 99.9%" if probability > 0.5 else "less than 0.1%"
    return f"{probability:.{0 if 0.1 <= probability < 0.995 else 1}%}"


def decimals(value: float | None, digits: int = 3) -> str:
    """Return a number with so many decimals, a dash where it is not defined."""
    return "–" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def data_uri(content: bytes, kind: str = "image/jpeg") -> str:
    """Return bytes as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def show(file: Path) -> None:
    """Open a page in the reader's browser."""
    webbrowser.open(file.resolve().as_uri())


@cache
def _asset(names: Sequence[str]) -> dict[str, str]:
    """Return files of ours as one text that is not escaped, and its sha256 as a policy has it."""
    from markupsafe import Markup

    text = "\n".join(files(__package__).joinpath("assets", name).read_text("utf-8") for name in names)
    return {"text": Markup(text), "sha256": base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}
