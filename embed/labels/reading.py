"""A table as text, out of a file of comma-separated values or its kin, or of Parquet."""

import io
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embed.errors import InputError, LabelError, UsageError

if TYPE_CHECKING:
    import pandas as pd

MOST_BYTES = 1 << 30
MOST_ROWS = 20_000_000  # of a Parquet file, which can claim any number in a few bytes
DELIMITERS = ",;\t"  # the most frequent one of the first line; otherwise a bar, or blanks, where one is
BAR = "|"
BLANKS = " "
BYTE_ORDER_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
ENCODINGS = (
    "utf-8",
    "cp1252",
    "latin-1",
)  # tried in this order where there is no mark; the last takes any bytes
PARQUET = b"PAR1"
FOREIGN = {
    b"PK\x03\x04": "it is an Excel workbook or a zip archive",
    b"\xd0\xcf\x11\xe0": "it is an Excel workbook",
    b"\x1f\x8b": "it is compressed",
    b"SQLite format 3": "it is a database",
}  # first bytes → what it is instead
SHOWN = 80  # characters of a line in a message
_PREAMBLE = re.compile(r"(?:[ \t]*\r?\n)*(?:sep=(.)\r?\n)?")  # blank lines, and a line that Excel writes
_COUNT = re.compile(
    r"[ \t]*[0-9]+[ \t]*(?:\r\n?|\n)(?=[^\r\n]*\S[ \t]+\S)"
)  # a first line that counts the others
_LINE_END = re.compile(r"\r\n?|\n")
_QUOTED = re.compile(r'"[^"]*"')


@dataclass(frozen=True)
class Table:
    """A table as text.

    Parameters
    ----------
    cells : DataFrame
        str without blanks around it, as it is in the file: "NA" and "01" stay what they are. The first row may be the names
        of the columns. The index says on which line, or in which row, of the file each stands.
    unit : str
        What the index counts, "line" or "row".
    heading : str
        The first line, for messages.
    encoding : str or None
        Of the text; None where the file has no text of its own.
    named : bool
        Whether the first row is the names of the columns for certain.
    lists : tuple of str
        Columns that hold several values in each cell; they are not among the cells.
    """

    cells: "pd.DataFrame"
    unit: str
    heading: str
    encoding: str | None
    named: bool = False
    lists: tuple[str, ...] = ()


def read(file: Path) -> Table:
    """Return a table.

    Raises
    ------
    InputError
        The file cannot be read.
    LabelError
        It is no table.
    UsageError
        It is Parquet, and the library that reads it is not installed.
    """
    data = _bytes(file)
    if data.startswith(PARQUET):
        return _parquet(file, data)
    for first, what in FOREIGN.items():
        if data.startswith(first):
            raise LabelError(
                f"csv:{file} is no table of text: {what}; save the table as CSV or Parquet", "labels"
            )
    text, encoding = _text(file, data)
    if not text.strip():
        raise LabelError(f"csv:{file} is empty", "labels")
    return _separated(file, text, encoding)


def _bytes(file: Path) -> bytes:
    try:
        found = file.stat()
        if stat.S_ISDIR(found.st_mode):
            raise InputError(f"csv:{file} cannot be read: it is a folder", "labels")
        if not stat.S_ISREG(found.st_mode):  # a pipe or a device could be read for ever
            raise InputError(f"csv:{file} cannot be read: it is no regular file", "labels")
        if found.st_size > MOST_BYTES:
            raise InputError(f"csv:{file} cannot be read: it is larger than {MOST_BYTES >> 30} GB", "labels")
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"csv:{file} cannot be read: {error.strerror}", "labels") from error
    except ValueError as error:  # a zero byte in the name
        raise InputError(f"csv:{str(file)!r} cannot be read: {error}", "labels") from error


def _text(file: Path, data: bytes) -> tuple[str, str]:
    """Return the text in a file, and its encoding."""
    marked = [encoding for mark, encoding in BYTE_ORDER_MARKS.items() if data.startswith(mark)]
    if not marked and b"\0" in data:
        # UTF-16 without a mark: every other byte of plain letters is zero.
        halves = {"utf-16-le": data[1::2], "utf-16-be": data[::2]}
        marked = [name for name, half in halves.items() if half.count(0) * 2 > len(half)]
    problem = ""
    for encoding in marked or ENCODINGS:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as error:
            problem = f"its first bytes say {encoding}, which it is not ({error.reason})"
            continue
        if "\0" in text:
            line = 1 + len(_LINE_END.findall(text, 0, text.index("\0")))
            raise LabelError(f"csv:{file}, line {line}: it holds a zero byte, so it is no text", "labels")
        return text, encoding
    raise LabelError(f"csv:{file} cannot be understood: {problem}", "labels")


def _separated(file: Path, text: str, encoding: str) -> Table:
    import pandas as pd

    preamble = _PREAMBLE.match(text)
    assert preamble is not None  # it matches nothing, too
    start = preamble.end()
    counted = _COUNT.match(text, start)
    if counted is not None:
        start = counted.end()
    first_line = 1 + len(_LINE_END.findall(text, 0, start))
    text = text[start:]
    heading = _LINE_END.split(text, maxsplit=1)[0]
    if heading[:1] in ("{", "[") and '"' in heading[:SHOWN]:
        raise LabelError(f"csv:{file} is no table: it is JSON; save the table as CSV or Parquet", "labels")
    outside = _QUOTED.sub("", heading)
    delimiter = preamble[1] or max(DELIMITERS, key=outside.count)
    if not preamble[1] and delimiter not in outside:
        delimiter = BAR if BAR in outside else BLANKS if len(heading.split()) > 1 else delimiter
    if delimiter == BLANKS:
        rows, lines = _by_blanks(text, first_line)
    else:
        rows, lines = _by_delimiter(file, text, delimiter, first_line)
    cells = rows.apply(lambda column: column.str.strip()).astype(object)
    cells.index = pd.Index(lines)
    return Table(cells, "line", heading[:SHOWN], encoding)


def _by_blanks(text: str, first_line: int) -> "tuple[pd.DataFrame, list[int]]":
    """Return the cells of lines whose last cells hold no blanks, as ``path label``; and their lines."""
    import pandas as pd

    lines = [(number, line) for number, line in enumerate(_LINE_END.split(text), first_line) if line.strip()]
    count = min(len(line.split()) for _, line in lines)
    rows = [line.strip().rsplit(None, count - 1) for _, line in lines]
    return pd.DataFrame(rows, dtype=object), [number for number, _ in lines]


def _by_delimiter(file: Path, text: str, delimiter: str, first_line: int) -> "tuple[pd.DataFrame, list[int]]":
    import pandas as pd

    def parse(rows: int | None = None) -> pd.DataFrame:
        # Without a header the first line says how many cells a line has: a longer one is an error with its number.
        return pd.read_csv(
            io.StringIO(text),
            header=None,
            sep=delimiter,
            dtype=object,
            keep_default_na=False,
            na_filter=False,
            skip_blank_lines=False,
            skipinitialspace=True,  # before a quotation mark
            nrows=rows,
        )

    def lines(rows: pd.DataFrame) -> list[int]:
        """Return the line on which each row starts, and that on which the next one would: cells may hold lines."""
        more = (1 + sum(len(_LINE_END.findall(cell)) for cell in row) for row in rows.values.tolist())
        return list(accumulate(more, initial=first_line))

    try:
        rows = parse()
    except pd.errors.EmptyDataError:
        raise LabelError(f"csv:{file} is empty", "labels") from None
    except pd.errors.ParserError as error:
        record, what = _parser_problem(str(error), delimiter)
        line = lines(parse(record))[-1] if record else first_line
        raise LabelError(f"csv:{file}, line {line}: {what}", "labels") from error
    rows = rows.fillna("")
    return rows, lines(rows)[:-1]


def _parser_problem(message: str, delimiter: str) -> tuple[int, str]:
    """Return the position of the row that pandas cannot read, and what is wrong with it."""
    opened = re.search(r"EOF inside string starting at row (\d+)", message)
    if opened is not None:
        return int(opened[1]), "a quotation mark is opened here and never closed"
    longer = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", message)
    if longer is not None:
        what = f"{longer[3]} cells where the first line has {longer[1]}; a cell that holds {delimiter!r} needs quotation marks"
        return int(longer[2]) - 1, what
    return 1, f"it cannot be read as a table ({message.strip()})"


def _parquet(file: Path, data: bytes) -> Table:
    import pandas as pd

    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise UsageError(
            f"csv:{file} is Parquet, which needs pyarrow: pip install 'embed-images[parquet]'", "labels"
        ) from error
    try:
        source = parquet.ParquetFile(pa.BufferReader(data))
        schema = source.schema_arrow
        plain = [field.name for field in schema if not _nested(field.type)]
        lists = tuple(field.name for field in schema if pa.types.is_nested(field.type))
        twice = next((name for name in plain if schema.names.count(name) > 1), None)
        if twice is not None:
            raise LabelError(f"csv:{file} has two columns {twice!r}", "labels")
        if source.metadata.num_rows > MOST_ROWS:
            raise LabelError(f"csv:{file} has more than {MOST_ROWS:,} rows", "labels")
        columns = [[*texts(column)] for column in source.read(columns=plain, use_threads=False).columns]
    except (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError) as error:
        raise LabelError(f"csv:{file} cannot be read as Parquet: {_line(error)}", "labels") from error
    cells = pd.DataFrame(
        {
            i: pd.Series([name, *column], dtype=object)
            for i, (name, column) in enumerate(zip(plain, columns, strict=True))
        }
    )
    if not plain:
        cells = pd.DataFrame([[""]], dtype=object)
    return Table(cells, "row", ", ".join(schema.names)[:SHOWN], None, named=True, lists=lists)


def _nested(kind: Any) -> bool:
    import pyarrow as pa

    return any(is_it(kind) for is_it in (pa.types.is_nested, pa.types.is_binary, pa.types.is_large_binary))


def texts(column: Any) -> Iterator[str]:
    """Yield the values of a column as text: whole numbers without a point, nothing for null."""
    for value in _values(column):
        whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e15
        yield "" if value is None or value != value else str(int(value) if whole else value).strip()


def _values(column: Any) -> list[Any]:
    """Return the values of a column; moments that Python cannot hold as text, or as the numbers that they are stored as."""
    import pyarrow as pa

    try:
        return list(column.to_pylist())
    except (
        ValueError,
        OverflowError,
        LookupError,
        pa.ArrowException,
    ):  # a year, or a time zone, that there is not
        pass
    try:
        return list(column.cast(pa.string()).to_pylist())
    except pa.ArrowException:
        return list(column.cast(pa.int64()).to_pylist())


def _line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]
