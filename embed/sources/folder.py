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

HEAD_BYTES = 32  # enough of a file to recognise an image whose name does not say so


@dataclass(frozen=True, slots=True)
class Found:
    """One candidate: its path below the folder, and what ``stat`` said; or the problem that rules it out."""

    path: str  # relative, with "/" between folders; bytes that are no text are surrogates (os.fsdecode)
    size: int  # bytes
    mtime_ns: int
    problem: str | None = None


def find(root: Path) -> Iterator[Found]:
    """Yield every candidate image below a folder, in the order of the bytes of the paths.

    A candidate has the extension of an image or begins like one. Links are followed, but not back into a folder
    that is being walked. Nothing but a regular file is opened, and only where its name does not say what it is.

    Raises InputError when the folder itself cannot be listed.
    """
    top = os.fsencode(root)
    try:
        status = root.stat()
        if not stat.S_ISDIR(status.st_mode):
            raise InputError(f"{root} is {_kind(status.st_mode)}, not a folder of photographs.")
        os.scandir(top).close()
    except FileNotFoundError:
        raise InputError(f"There is no folder {root}.") from None
    except OSError as error:
        raise InputError(f"The folder {root} cannot be read: {reason(error)}.") from None
    yield from _walk(top, b"", ((status.st_dev, status.st_ino),))


def named(given: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that the user named, and the candidates below each folder that was.

    Raises InputError for a folder that cannot be listed or holds no image.
    """
    for path in given:
        if not path.is_dir():
            yield path
            continue
        inside = [path / found.path for found in find(path)]
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


def _walk(folder: bytes, prefix: bytes, ancestors: tuple[tuple[int, int], ...]) -> Iterator[Found]:
    try:
        with os.scandir(folder) as listing:
            # A folder sorts as "name/", so that walking it in turn gives the order of whole paths.
            entries = sorted(
                (entry.name + b"/" if _is_dir(entry) else entry.name, entry) for entry in listing
            )
    except OSError as error:
        yield Found(os.fsdecode(prefix.rstrip(b"/")), 0, 0, f"the folder cannot be read: {reason(error)}")
        return
    for name, entry in entries:
        path = prefix + entry.name
        if name.endswith(b"/"):
            try:
                status = entry.stat()
            except OSError as error:
                yield Found(os.fsdecode(path), 0, 0, f"the folder cannot be read: {reason(error)}")
                continue
            if _named_as_image(entry.name):
                yield _judge(os.fsdecode(path), status)
            identity = (status.st_dev, status.st_ino)
            if identity not in ancestors:
                yield from _walk(entry.path, path + b"/", (*ancestors, identity))
        elif _named_as_image(entry.name) or _begins_like_image(entry):
            yield _examine(entry, path)


def _is_dir(entry: "os.DirEntry[bytes]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads nowhere or in circles
        return False


def _named_as_image(name: bytes) -> bool:
    return name.rpartition(b".")[2].lower() in EXTENSIONS and b"." in name


def _begins_like_image(entry: "os.DirEntry[bytes]") -> bool:
    try:
        if not entry.is_file():
            return False
        descriptor = os.open(entry.path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:  # nothing says that it is an image
        return False
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False
        return identify(os.read(descriptor, HEAD_BYTES)) is not None
    except OSError:
        return False
    finally:
        os.close(descriptor)


def _examine(entry: "os.DirEntry[bytes]", path: bytes) -> Found:
    try:
        status = entry.stat()
    except OSError as error:
        return Found(os.fsdecode(path), 0, 0, _problem_of_link(Path(os.fsdecode(entry.path)), error))
    return _judge(os.fsdecode(path), status)


def _judge(path: str, status: os.stat_result) -> Found:
    problem = None if stat.S_ISREG(status.st_mode) else f"is {_kind(status.st_mode)}, not a file"
    return Found(path, status.st_size, status.st_mtime_ns, problem)


def _problem_of_link(path: Path, error: OSError) -> str:
    if error.errno == errno.ELOOP:
        return "is a link that leads back to itself"
    if error.errno == errno.ENOENT:
        return "is a link to a file that does not exist" if path.is_symlink() else "there is no such file"
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
