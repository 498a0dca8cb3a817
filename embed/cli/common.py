"""What the commands share: arguments and options, tables, messages."""

import json
import os
import sys
import textwrap
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from embed.cli import session

if TYPE_CHECKING:
    from embed.api import FeatureCache, Features, FeatureSet

ImagesArgument = Annotated[
    list[str], typer.Argument(help="Photographs, or folders and archives of them.", show_default=False)
]
CacheOption = Annotated[
    Path, typer.Option("--cache", envvar="EMBED_CACHE", help="Folder of the feature sets.", show_default=True)
]
FeaturesOption = Annotated[
    str | None,
    typer.Option(
        "--features", help="Feature set to use; by default the one extracted last.", show_default=False
    ),
]
LabelsOption = Annotated[
    str,
    typer.Option(
        "--labels",
        help="Where labels come from: folder, hand, source, 'regex:PATTERN' or csv:FILE[,path=COLUMN,label=COLUMN,split=COLUMN].",
    ),
]
WhereOption = Annotated[
    str | None,
    typer.Option(
        "--where",
        help="Only these photographs: a condition on columns of the table of --labels, as \"site == 'A' and year >= 2020\".",
        show_default=False,
    ),
]
SplitsOption = Annotated[
    str | None,
    typer.Option(
        "--splits",
        help="Folders that are splits, as train=training,test=testing; none: no folder is. By default they are recognised.",
        show_default=False,
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", help="Model to use; by default the one fitted last.", show_default=False),
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu or gpu.")]
StrictOption = Annotated[bool, typer.Option("--strict", help="Exit with 3 when any file failed.")]
OpenOption = Annotated[bool, typer.Option("--open", help="Show the page in the browser.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
CsvOption = Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")]
SeedOption = Annotated[
    int, typer.Option("--seed", help="Of everything that is drawn.", min=0, max=(1 << 32) - 1)
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")]

DEFAULT_CACHE = Path("cache")
FASTER = (
    "This processor computes in bfloat16: --precision bf16 takes about half the time in the backbone where there is AMX, for features "
    "with a cosine of 0.9999 to these (another set)."
)


class Output(StrEnum):
    """How a table leaves the program."""

    TABLE = "table"  # aligned in a terminal, tab-separated in a pipe
    CSV = "csv"
    JSON = "json"


def output(as_json: bool, as_csv: bool = False) -> Output:
    """Return the output that the flags ask for; JSON wins over CSV."""
    return Output.JSON if as_json else Output.CSV if as_csv else Output.TABLE


def find_features(cache: Path, name: str | None) -> "FeatureSet":
    """Find the named feature set, or the one extracted last; say which where there are several."""
    from embed import api

    found = api.find_features(cache, name)
    if name is None and len(api.list_features(cache)) > 1:
        using = f"Using {found.name}, of {found.meta.root}, which was extracted last; --features NAME picks another."
        if session.is_new(f"{cache.absolute()}\0{using}"):
            say(printable(using))
    return found


def open_features(cache: Path, name: str | None) -> "FeatureCache":
    """Open the feature set that `find_features` finds; say so if its extraction has not come to its end."""
    from embed import api

    features = api.FeatureCache.open(find_features(cache, name))
    if not features.meta.complete:
        say(
            f"The extraction of {features.root} has not come to its end: {counted(len(features), 'photograph')} so far;"
            f" {features.again} goes on."
        )
    return features


def open_labelled(
    cache: Path,
    name: str | None,
    labels: str,
    splits: str | None,
    where: str | None,
    *,
    judging: bool = False,
) -> "Features":
    """Open the feature set that `find_features` finds with the rule that labels the photographs asked for.

    What it makes of a table is said before anything is made of it; how folders could be read otherwise, where photographs
    are judged by them.
    """
    from embed import api

    rule = api.with_where(api.with_splits(labels, splits), where)
    features = api.Features(open_features(cache, name), rule)
    if judging or where is not None or labels.startswith("csv:"):
        for note in features.notes:
            say(f"Note: {printable(note)}.")
        if features.labels_by_hand and labels == "folder":
            say(f"The labels are those given by hand, in {printable(str(features.cache.labels_file))}.")
    return features


def can_show() -> bool:
    """Return whether somebody sits before this terminal, with a screen for a browser."""
    screen = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return sys.stdout.isatty() and sys.stderr.isatty() and bool(screen)


def say(message: str) -> None:
    """Write one line for the person at the keyboard, on stderr."""
    print(message, file=sys.stderr, flush=True)


def say_failed(file: Path | str, problem: str) -> None:
    """Name a photograph that could not be used, and why."""
    say(failure(file, problem))


def failure(file: Path | str, problem: str) -> str:
    """Return the line that names a photograph which could not be used, and why."""
    return f"embed: {printable(os.fspath(file))}: {problem}"


def printable(text: str) -> str:
    """Return text on one line: no control character of a file name may reach a terminal or a table."""
    return "".join(
        c if c.isprintable() or "\udc80" <= c <= "\udcff" else c.encode("unicode_escape").decode()
        for c in text
    )


def counted(count: int, what: str) -> str:
    """Return a number with its noun: "1 part", "2 parts"."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def print_json(document: Any) -> None:
    """Print one JSON document on stdout; bytes of file names that are no UTF-8 are lone surrogates (``\\udcNN``)."""
    print(json.dumps(document, indent=2, allow_nan=False))


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    form: Output = Output.TABLE,
    title: str | None = None,
    heading: Sequence[str] = (),
    verbatim: bool = False,
) -> None:
    """Print rows under named columns: aligned in a terminal, tab-separated in a pipe, CSV or JSON on request.

    Parameters
    ----------
    columns : sequence of str
    rows : iterable of sequences
        As many values each as there are columns.
    form : Output
    title : str, optional
        Stands above the table in a terminal.
    heading : sequence of str
        In a terminal, columns of these names stand above the table where they say the same in every row.
    verbatim : bool
        The columns have names of the user's; others are written with spaces in a terminal, and broken there.
    """
    if form is Output.JSON:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    elif form is Output.CSV:
        from embed.api import write_rows

        write_rows(sys.stdout, columns, rows)
    elif sys.stdout.isatty():
        rows = [list(row) for row in rows]
        same = [
            i
            for i, column in enumerate(columns)
            if column in heading and len({_cell(row[i]) for row in rows}) == 1
        ]
        if same:
            words = [title] if title else []
            title = ", ".join([*words, *(_named(columns[i], rows[0][i]) for i in same)])
            columns = [column for i, column in enumerate(columns) if i not in same]
            rows = [[value for i, value in enumerate(row) if i not in same] for row in rows]
        names = columns if verbatim else [column.replace("_", " ") for column in columns]
        _print_rich_table(names, rows, title)
    else:
        for row in (columns, *rows):
            print("\t".join(_cell(value) for value in row))


def _named(column: str, value: Any) -> str:
    """Return a value above a table: text speaks for itself, a number needs its name."""
    return _cell(value) if isinstance(value, str) else f"{column} {_cell(value)}"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return printable(str(value))


NARROWEST = 16  # characters that a column of text is folded to, before the table is printed in parts


def _print_rich_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], title: str | None) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    values = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in columns]
    numeric = [all(isinstance(one, (int, float)) or one is None for one in column) for column in values]
    cells = [[Text(_cell(one)) for one in column] for column in values]
    names = [printable(name) for name in columns]  # long ones are broken between words
    widths = [
        max(*(len(word) for word in name.split(" ")), *(one.cell_len for one in column), 0)
        for name, column in zip(names, cells, strict=True)
    ]
    least = [
        width if number else min(width, NARROWEST) for width, number in zip(widths, numeric, strict=True)
    ]
    for number, places in enumerate(_parts(least, console.width)):
        table = Table(
            box=box.SIMPLE_HEAD,
            title=None if title is None or number else Text(title),
            title_justify="left",
            pad_edge=False,
        )
        for i in places:
            # A number is never broken over two lines.
            table.add_column(
                Text(textwrap.fill(names[i], max(1, widths[i]))),
                justify="right" if numeric[i] else "left",
                overflow="fold",
                min_width=least[i],
            )
        for row in zip(*(cells[i] for i in places), strict=True):
            table.add_row(*row)
        console.print(table)


def _parts(widths: Sequence[int], room: int) -> list[list[int]]:
    """Return the columns of each part of a table that is too wide for the terminal; every part has the first one."""
    parts = [[0]]
    for i in range(1, len(widths)):
        # Three characters between columns, one at each edge.
        if sum(widths[place] + 3 for place in (*parts[-1], i)) - 1 > room and len(parts[-1]) > 1:
            parts.append([0])
        parts[-1].append(i)
    return parts
