"""A folder of photographs."""

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path

from embed.errors import ImageError, InputError
from embed.sources import file
from embed.sources.left_out import BIN_JOURNAL, BINNED, MOST_COUNTED, Filters, is_in_bin, unless_drawn
from embed.sources.reasons import kind, why
from embed.sources.reasons import reason as reason_of
from embed.sources.shots import RAW_EXTENSIONS, TAKEN_AS_PICTURE, is_taken_as_picture
from embed.sources.signatures import identify
from embed.sources.source import Described, Failed, Item, LeftOut, Listed, Read, Told

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
    filters : Filters, optional
        What is left out, and taken in, beside what always is.
    """

    def __init__(self, folder: Path, filters: Filters | None = None) -> None:
        self.folder = folder
        self.filters = filters or Filters()
        self.root: Path | str = folder.resolve()
        self.name = folder.resolve().name
        self.again = ""
        self.places: tuple[str, ...] = ()

    def __getstate__(self) -> dict[str, object]:
        """Return what another process, in another working folder, finds the photographs by."""
        return {**vars(self), "folder": self.folder.absolute()}

    def find(self) -> Iterator[Told]:
        """Yield every candidate image, in the order of the bytes of the paths, and each folder after what is in it.

        A candidate has the extension of an image or begins like one. Links are followed, and each folder is walked
        once: under its own name where it is below this one, else under the first of the links that lead to it. Nothing
        but a regular file is opened, and only where its name does not say what it is. Hidden folders and those of programs
        are left out, and told as such; a bin is left out without a word.

        Raises
        ------
        InputError
            The folder itself cannot be listed, or is a bin.
        """
        try:
            mode = self.folder.stat().st_mode
            if not stat.S_ISDIR(mode):
                raise InputError(f"{self.folder} is {kind(mode)}, not a folder of photographs.")
            entries = _entries(os.fsencode(self.folder))
        except FileNotFoundError:
            raise InputError(f"There is no folder {self.folder}.") from None
        except OSError as error:
            raise InputError(f"The folder {self.folder} cannot be read: {reason_of(error)}.") from None
        if _is_bin(entries):
            raise InputError(
                f"{self.folder} is a bin: its photographs were put aside. `embed duplicates --undo` puts them back."
            )
        yield from _walk(os.fsencode(self.folder), entries, self.filters)

    def read(self, group: Sequence[Item]) -> Iterator[Read]:
        """Yield each photograph with its content, or the reason why that cannot be had just now."""
        return read_below(self.folder, group)

    def described(self) -> Iterator[Described]:
        """Yield nothing: folders say it."""
        return iter(())

    def address(self, name: str) -> Path:
        """Return the file of a photograph, whether it is there or not."""
        return self.folder / name


def read_below(folder: Path, group: Sequence[Item]) -> Iterator[Read]:
    """Yield each photograph with the content of the file of its name in a folder, or the reason why there is none."""
    for item in group:
        try:
            yield item, unless_drawn(file.read(folder / item.name, item))
        except ImageError as error:
            yield item, str(error)


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
    return sorted(entries, key=itemgetter(0), reverse=True)


def _is_bin(entries: list[_Entry]) -> bool:
    return any(name == os.fsencode(BIN_JOURNAL) for name, _, _ in entries)


@dataclass(slots=True)
class _Open:
    """A folder that is being walked."""

    prefix: bytes  # of the names in it
    entries: list[_Entry]  # what is left of it
    linked: bool  # whether a link led there
    left_out: str | None  # why nothing in it is taken but what is asked for
    left: dict[str, int] = field(default_factory=dict)  # files that are left out, by the reason


def _walk(top: bytes, entries: list[_Entry], filters: Filters) -> Iterator[Told]:
    inside = os.path.realpath(top).rstrip(b"/") + b"/"
    outside: set[tuple[int, int]] = set()  # folders to which links have led
    bins: dict[Path, bool] = {}
    # A stack, for folders may be nested deeper than Python calls.
    open_folders = [_Open(b"", entries, False, None)]
    while open_folders:
        folder = open_folders[-1]
        if not folder.entries:
            place = os.fsdecode(folder.prefix.rstrip(b"/"))
            open_folders.pop()
            yield from (LeftOut(place, reason, count) for reason, count in folder.left.items() if count)
            yield Listed(place)
            continue
        name, entry, trouble = folder.entries.pop()
        path = folder.prefix + entry.name
        is_folder = name.endswith(b"/")
        out = folder.left_out or filters.reason(path, name, is_folder)
        if not is_folder:
            named = named_as_image(name)
            if out is None and named and is_taken_as_picture(entry.path):
                out = TAKEN_AS_PICTURE
            if out is not None and not filters.takes_in(path):
                folder.left[out] = folder.left.get(out, 0) + named
                continue
            found = _examine(entry, os.fsdecode(path), named, trouble)
            if found is not None:
                yield found
            continue
        if out == BINNED:
            continue
        if out is not None and not filters.include:
            yield LeftOut(os.fsdecode(path), out, _count(entry.path))
            continue
        try:
            if named_as_image(entry.name) and out is None:
                yield judge(os.fsdecode(path), entry.stat())
            below_link = folder.linked or entry.is_symlink()
            if below_link:
                if _is_walked(os.path.realpath(entry.path), inside, filters):
                    continue  # it has its turn under its own name
                status = entry.stat()
                identity = (status.st_dev, status.st_ino)
                if identity in outside:
                    continue
                outside.add(identity)
            below = _entries(entry.path)
            if _is_bin(below) or (
                entry.is_symlink() and is_in_bin(Path(os.fsdecode(os.path.realpath(entry.path))), bins)
            ):
                continue
            open_folders.append(_Open(path + b"/", below, below_link, out))
        except OSError as error:
            yield Failed(os.fsdecode(path), f"the folder cannot be read: {reason_of(error)}")


def _is_walked(target: bytes, inside: bytes, filters: Filters) -> bool:
    """Return whether a folder lies in the one that is walked, and is not left out there."""
    if not (target + b"/").startswith(inside):
        return False
    parts = target[len(inside) :].split(b"/")
    return filters.include != () or not any(
        filters.reason(b"/".join(parts[: depth + 1]), part, True) for depth, part in enumerate(parts)
    )


def _count(folder: bytes) -> int:
    """Return how many files in a folder that is left out have the name of an image; what cannot be read counts nothing."""
    images = seen = 0
    waiting = [folder]
    while waiting and seen < MOST_COUNTED:
        with suppress(OSError), os.scandir(waiting.pop()) as listing:
            for entry in listing:
                seen += 1
                if seen > MOST_COUNTED:
                    break
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    images += named_as_image(entry.name)
    return images


def named_as_image(name: bytes) -> bool:
    """Return whether a file has the name of an image."""
    _, point, extension = name.rpartition(b".")
    return bool(point) and extension.lower() in EXTENSIONS


def _examine(
    entry: "os.DirEntry[bytes]", path: str, expected: bool, trouble: OSError | None
) -> Item | Failed | None:
    """Return what is to be said of an entry that is no folder; None where it is not meant to be an image."""
    try:
        if trouble is not None:
            raise trouble
        if expected or (entry.is_file() and _begins_like_image(entry.path)):
            return judge(path, entry.stat())
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


def judge(path: str, status: os.stat_result) -> Item | Failed:
    """Return a file that is expected to be a photograph as one, or why it cannot be."""
    if not stat.S_ISREG(status.st_mode):
        return Failed(path, f"is {kind(status.st_mode)}, not a file", gone=True)
    if status.st_size > file.MAX_BYTES:
        return Failed(path, file.too_large(status.st_size), gone=True)
    return Item(path, status.st_size, file.stamp(status))
