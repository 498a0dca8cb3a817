"""A list of photographs, or of folders of them, as a source."""

import hashlib
import os
import shlex
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from embed.errors import InputError
from embed.sources.folder import Folder, judge, read_below
from embed.sources.left_out import Filters, is_in_bin
from embed.sources.reasons import reason, why
from embed.sources.several import below
from embed.sources.source import Described, Failed, Item, LeftOut, Listed, Read, Told

MOST_BYTES, PIECE_BYTES = 1 << 30, 1 << 20
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


class Listing:
    """The photographs that a list names, one on a line.

    Relative paths begin in the working folder or, where the first of them is not there, in the folder of the list. A
    photograph that the list does not name any more has left; one that is named and missing is a failure.

    Parameters
    ----------
    file : Path or None
        The list; None where it has no file, as from a pipe.
    data : bytes
        What it says.
    zero : bool
        Whether each path ends in a zero byte rather than with its line.
    filters : Filters, optional
        For the folders in the list, and for files by patterns.

    Raises
    ------
    InputError
        It names nothing.
    """

    def __init__(
        self, file: Path | None, data: bytes, *, zero: bool = False, filters: Filters | None = None
    ) -> None:
        self._filters = filters or Filters()
        self._called = str(file) if file is not None else "The list"
        entries = read_entries(data, zero=zero)
        if not entries:
            raise InputError(f"{self._called} names no photographs.")
        relative = [entry for entry in entries if not entry.startswith(os.sep)]
        base = Path.cwd()
        if relative and file is not None and not os.path.lexists(relative[0]):
            beside = file.absolute().parent
            base = beside if os.path.lexists(beside / relative[0]) else base
        paths = {os.path.normpath(base / entry) for entry in entries}
        inside = os.path.normpath(base).rstrip(os.sep) + os.sep
        outside = len(relative) < len(entries) or not all(path.startswith(inside) for path in paths)
        self.root: Path | str = Path("/") if outside else base
        self._base, self._began = self.root, base
        identity = os.path.normpath(file.absolute()) if file is not None else os.path.commonpath(paths)
        self.places: tuple[str, ...] = ()
        self.again = f"--from-file {'-' if file is None else shlex.quote(identity)}" + (" -0" if zero else "")
        stem = file.stem if file is not None else "list"
        self.name = f"{stem}-{hashlib.sha256(os.fsencode(identity)).hexdigest()[:8]}"
        self._names = sorted(
            (os.path.relpath(path, self._base) for path in paths), key=lambda name: os.fsencode(name) + b"/"
        )

    def __getstate__(self) -> dict[str, object]:
        """Return what another process reads the photographs by: it is told which, and needs no list of all."""
        return {**vars(self), "_names": []}

    def name_of(self, entry: str) -> str:
        """Return the name of the photograph that an entry is."""
        return os.path.relpath(os.path.normpath(self._began / entry), self._base)

    def filtered(self, filters: Filters) -> "Listing":
        """Return the same list with other filters."""
        # `copy` would make one for another process, without the names.
        other = object.__new__(type(self))
        vars(other).update(vars(self), _filters=filters)
        return other

    def find(self) -> Iterator[Told]:
        """Yield every photograph that the list names, and those in the folders that it names."""
        bins: dict[Path, bool] = {}
        walked = ""  # the folder that was walked last: what is named in it, too, has been met
        for name in self._names:
            if walked and name.startswith(walked + "/"):
                continue
            path = self._base / name
            try:
                status = path.stat()
                is_folder = stat.S_ISDIR(status.st_mode)
                if is_in_bin(path if is_folder else path.parent, bins):
                    continue
                if is_folder:
                    walked = name
                    yield from (below(name, told) for told in Folder(path, self._filters).find())
                    continue
                out = self._filters.reason(os.fsencode(name), os.fsencode(path.name), False)
                if out is not None and not self._filters.takes_in(os.fsencode(name)):
                    yield LeftOut(name, out, 1)
                else:
                    yield judge(name, status)
            except InputError as error:
                yield Failed(name, str(error))
            except OSError as error:
                # Where even its folder is not there, a disk may be away.
                gone = isinstance(error, FileNotFoundError) and path.parent.is_dir()
                yield Failed(name, why(path, error), gone=gone)
        yield Listed("")

    def read(self, group: Sequence[Item]) -> Iterator[Read]:
        """Yield each photograph with its content, or the reason why that cannot be had just now."""
        return read_below(self._base, group)

    def described(self) -> Iterator[Described]:
        """Yield nothing: a list names photographs, and says no more of them."""
        return iter(())

    def address(self, name: str) -> Path:
        """Return the file of a photograph, whether it is there or not."""
        return self._base / name


def read_list(file: Path) -> bytes:
    """Return what a list says.

    Raises
    ------
    InputError
        It cannot be read.
    """
    try:
        data = bytearray()
        with file.open("rb") as stream:
            # Piece by piece: a buffer of the most that is read would be as large, whatever is there.
            while len(data) <= MOST_BYTES and (piece := stream.read(PIECE_BYTES)):
                data += piece
    except OSError as error:
        raise InputError(f"The list {file} cannot be read: {reason(error)}.") from None
    if len(data) > MOST_BYTES:
        raise InputError(f"The list {file} is larger than {MOST_BYTES >> 30} GB.")
    return bytes(data)


def read_entries(data: bytes, *, zero: bool = False) -> list[str]:
    """Return what a list names, in order: one on each line, or each ending in a zero byte.

    Raises
    ------
    InputError
        A line holds a zero byte, which no name does.
    """
    if zero:
        return [os.fsdecode(entry) for entry in data.split(b"\0") if entry]
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            text = data.decode(encoding, errors="replace").removeprefix("\ufeff")
            data = os.fsencode(text)
            break
    lines = data.split(b"\n")
    if b"\r" in data and not any(b"\r" in line[:-1] for line in lines):  # whichever of them come from Windows
        lines = [line.removesuffix(b"\r") for line in lines]
    for number, line in enumerate(lines, 1):
        if b"\0" in line:
            raise InputError(
                f"Line {number} of the list holds a zero byte, which no file name does: save the list as UTF-8, or give -0 "
                "where every name in it ends in one."
            )
    return [os.fsdecode(line) for line in lines if line.strip()]
