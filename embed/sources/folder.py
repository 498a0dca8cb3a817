"""A folder of photographs."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from embed.errors import ImageError, InputError
from embed.sources import file
from embed.sources.reasons import kind, reason, why
from embed.sources.shots import RAW_EXTENSIONS
from embed.sources.signatures import identify
from embed.sources.source import Failed, Item, Listed, Read, Told

# A file with one of these names is meant to be an image, whatever it holds.
EXTENSIONS = RAW_EXTENSIONS | frozenset(
    b"jpg jpeg jpe jfif mpo png apng gif webp tif tiff bmp dib ppm pgm pbm pnm pfm jp2 j2k jpx jpf j2c jpc avif "
    b"avifs heic heif heics hif svg svgz ico icns psd tga pcx dds qoi jxl jxr eps xbm xpm exr hdr sgi rgb".split()
)

HEAD_BYTES = 32  # enough of a file to recognise an image whose name does not say so


class Folder:
    """The images in a folder, and in the folders below it.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder.resolve()
        self.name = self.root.name

    def find(self) -> Iterator[Told]:
        """Yield every candidate image, in the order of the bytes of the paths, and each folder after what is in it.

        A candidate has the extension of an image or begins like one. Links are followed, and each folder is walked
        once: under its own name where it is below this one, else under the first of the links that lead to it. Nothing
        but a regular file is opened, and only where its name does not say what it is.

        Raises
        ------
        InputError
            The folder itself cannot be listed.
        """
        try:
            mode = self.folder.stat().st_mode
            if not stat.S_ISDIR(mode):
                raise InputError(f"{self.folder} is {kind(mode)}, not a folder of photographs.")
            entries = _entries(os.fsencode(self.folder))
        except FileNotFoundError:
            raise InputError(f"There is no folder {self.folder}.") from None
        except OSError as error:
            raise InputError(f"The folder {self.folder} cannot be read: {reason(error)}.") from None
        yield from _walk(os.fsencode(self.folder), entries)

    def read(self, group: Sequence[Item]) -> Iterator[Read]:
        """Yield each photograph with its content, or the reason why that cannot be had just now."""
        for item in group:
            try:
                yield item, file.read(self.local_path(item.name), item)
            except ImageError as error:
                yield item, str(error)

    def local_path(self, name: str) -> Path:
        """Return the file of a photograph, whether it is there or not."""
        return self.folder / name


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


def _walk(top: bytes, entries: list[_Entry]) -> Iterator[Told]:
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
            if _named_as_image(entry.name):
                yield _judge(os.fsdecode(path), entry.stat())
            if entry.is_symlink() and (os.path.realpath(entry.path) + b"/").startswith(inside):
                continue  # it has its turn under its own name
            below_link = linked or entry.is_symlink()
            if below_link:
                status = entry.stat()
                identity = (status.st_dev, status.st_ino)
                if identity in outside:
                    continue
                outside.add(identity)
            open_folders.append((path + b"/", _entries(entry.path), below_link))
        except OSError as error:
            yield Failed(os.fsdecode(path), f"the folder cannot be read: {reason(error)}")


def _named_as_image(name: bytes) -> bool:
    return name.rpartition(b".")[2].lower() in EXTENSIONS and b"." in name


def _examine(entry: "os.DirEntry[bytes]", path: str, trouble: OSError | None) -> Item | Failed | None:
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
        return Failed(path, why(Path(os.fsdecode(entry.path)), error), expected)
    return None


def _begins_like_image(file: bytes) -> bool:
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return False
        return identify(os.read(descriptor, HEAD_BYTES)) is not None
    finally:
        os.close(descriptor)


def _judge(path: str, status: os.stat_result) -> Item | Failed:
    if not stat.S_ISREG(status.st_mode):
        return Failed(path, f"is {kind(status.st_mode)}, not a file", gone=True)
    if status.st_size > file.MAX_BYTES:
        return Failed(path, file.too_large(status.st_size), gone=True)
    return Item(path, status.st_size, file.stamp(status))
