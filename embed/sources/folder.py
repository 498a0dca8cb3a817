"""Find the photographs of a folder: names, sizes and times, without reading them."""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from embed.errors import InputError
from embed.sources.signatures import identify

# A file with one of these names is meant to be an image, whatever it holds.
EXTENSIONS = frozenset(
    b"jpg jpeg jpe jfif mpo png apng gif webp tif tiff bmp dib ppm pgm pbm pnm pfm jp2 j2k jpx jpf j2c jpc avif "
    b"avifs heic heif heics hif svg svgz ico icns psd tga pcx dds qoi jxl jxr eps raw dng cr2 cr3 nef arw orf "
    b"rw2 raf xbm xpm exr hdr sgi rgb".split()
)

DANGLING = "is a link to a file that does not exist"
HEAD_BYTES = 32  # enough of a file to recognise an image whose name does not say so


@dataclass(frozen=True, slots=True)
class Found:
    """One candidate: its path below the folder, and what ``stat`` said; or the problem that rules it out."""

    path: str  # relative, with "/" between folders; bytes that are no text are surrogates (os.fsdecode)
    size: int  # bytes
    mtime_ns: int
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A folder that was looked at to its end without an error, with all that is below it but the places that failed.

    Parameters
    ----------
    place : str
        Path below the data folder; empty for that folder itself.
    """

    place: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A file or a folder that could not be looked at: nothing is known of what is there.

    Parameters
    ----------
    place : str
        Path below the data folder.
    reason : str
    expected : bool
        Whether a photograph was to be expected there: it is a folder, or has the name of an image.
    """

    place: str
    reason: str
    expected: bool = True


def find(root: Path) -> Iterator[Found | Listed | Failed]:
    """Yield every candidate image below a folder, in the order of the bytes of the paths.

    A candidate has the extension of an image or begins like one. Links are followed, and each folder is walked once:
    under its own name where it is below `root`, else under the first of the links that lead to it. Nothing but a
    regular file is opened, and only where its name does not say what it is. A folder is told as `Listed` after what is
    in it.

    Raises
    ------
    InputError
        The folder itself cannot be listed.
    """
    top = os.fsencode(root)
    try:
        status = root.stat()
        if not stat.S_ISDIR(status.st_mode):
            raise InputError(f"{root} is {_kind(status.st_mode)}, not a folder of photographs.")
        entries = _entries(top)
    except FileNotFoundError:
        raise InputError(f"There is no folder {root}.") from None
    except OSError as error:
        raise InputError(f"The folder {root} cannot be read: {reason(error)}.") from None
    yield from _walk(top, entries)


def named(given: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that the user named, and the candidates below each folder that was.

    Raises InputError for a folder that cannot be listed or holds no image.
    """
    for path in given:
        if not path.is_dir():
            yield path
            continue
        inside = [path / found.path for found in find(path) if isinstance(found, Found)]
        if not inside:
            raise InputError(f"There is no image in {path}.")
        yield from inside


def look(file: Path) -> Found:
    """Return what `find` would say of one file that the user named; its path is kept as it was given."""
    path = os.fspath(file)
    try:
        status = file.stat()
    except OSError as error:
        return Found(path, 0, 0, _problem_of_link(file, error))
    return _judge(path, status)


def reason(error: OSError) -> str:
    """Return the cause of an error of the operating system as a phrase in lower case."""
    return (error.strerror or type(error).__name__).lower()


_Entry = tuple[bytes, "os.DirEntry[bytes]", OSError | None]


def _entries(folder: bytes) -> list[_Entry]:
    """Return what is in a folder in reverse order: the name, which ends with "/" for a folder, and the entry.

    A folder sorts as "name/", so that walking it in turn gives the order of whole paths.
    """
    entries: list[_Entry] = []
    with os.scandir(folder) as listing:
        for entry in listing:
            try:
                entries.append((entry.name + b"/" if entry.is_dir() else entry.name, entry, None))
            except OSError as error:  # a link that leads in circles, a disk that went away
                entries.append((entry.name, entry, error))
    return sorted(entries, key=lambda one: one[0], reverse=True)


def _walk(top: bytes, entries: list[_Entry]) -> Iterator[Found | Listed | Failed]:
    inside = os.path.realpath(top).rstrip(b"/") + b"/"
    outside: set[tuple[int, int]] = set()  # folders to which links have led
    # A stack, for folders may be nested deeper than Python calls: what is left of each, and whether a link led there.
    open_folders = [(b"", entries, False)]
    while open_folders:
        prefix, entries, linked = open_folders[-1]
        if not entries:
            open_folders.pop()
            yield Listed(os.fsdecode(prefix.rstrip(b"/")))
            continue
        name, entry, trouble = entries.pop()
        path = prefix + entry.name
        if not name.endswith(b"/"):
            found = _examine(entry, os.fsdecode(path), trouble)
            if found is not None:
                yield found
            continue
        try:
            status = entry.stat()
            if _named_as_image(entry.name):
                yield _judge(os.fsdecode(path), status)
            if entry.is_symlink() and (os.path.realpath(entry.path) + b"/").startswith(inside):
                continue  # it has its turn under its own name
            below_link = linked or entry.is_symlink()
            if below_link:
                identity = (status.st_dev, status.st_ino)
                if identity in outside:
                    continue
                outside.add(identity)
            open_folders.append((path + b"/", _entries(entry.path), below_link))
        except OSError as error:
            yield Failed(os.fsdecode(path), f"the folder cannot be read: {reason(error)}")


def _named_as_image(name: bytes) -> bool:
    return name.rpartition(b".")[2].lower() in EXTENSIONS and b"." in name


def _examine(entry: "os.DirEntry[bytes]", path: str, trouble: OSError | None) -> Found | Failed | None:
    """Return what is to be said of an entry that is no folder; None where it is not meant to be an image."""
    expected = _named_as_image(entry.name)
    try:
        if trouble is not None:
            raise trouble
        if expected or (entry.is_file() and _begins_like_image(entry.path)):
            return _judge(path, entry.stat())
        if entry.is_symlink():
            entry.stat()  # what is behind a link that leads nowhere may have been an image
    except OSError as error:
        return Failed(path, _problem_of_link(Path(os.fsdecode(entry.path)), error), expected)
    return None


def _begins_like_image(file: bytes) -> bool:
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False
        return identify(os.read(descriptor, HEAD_BYTES)) is not None
    finally:
        os.close(descriptor)


def _judge(path: str, status: os.stat_result) -> Found:
    problem = None if stat.S_ISREG(status.st_mode) else f"is {_kind(status.st_mode)}, not a file"
    return Found(path, status.st_size, status.st_mtime_ns, problem)


def _problem_of_link(path: Path, error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "is a link that leads back to itself"
    if error.errno == errno.ENOENT:
        return DANGLING if path.is_symlink() else "there is no such file"
    return f"cannot be read: {reason(error)}"


def _kind(mode: int) -> str:
    for test, kind in (
        (stat.S_ISREG, "a file"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a named pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISBLK, "a device"),
        (stat.S_ISCHR, "a device"),
    ):
        if test(mode):
            return kind
    return "something"
