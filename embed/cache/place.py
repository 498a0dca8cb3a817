"""Where a data folder is: its path, and what its file system knows it by."""

import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from embed.cache.meta import Meta

MOUNTS = Path("/proc/self/mountinfo")  # as proc(5) describes it


@dataclass(frozen=True)
class Place:
    """Where a data folder is.

    Parameters
    ----------
    root : str
        Absolute path, or a URL.
    relative : str
        The path as seen from the cache; the same after both were moved, or copied, together.
    filesystem, inode : int
        What the folder is known by; 0 where that is not known, or it is none.
    lasting : bool
        Whether the file system has the same number wherever and whenever it is mounted, and no other that is mounted now has
        it. Otherwise it has that of the device, which the next disk will have, or it is a copy of a whole disk, as a snapshot.
    """

    root: str
    relative: str
    filesystem: int = 0
    inode: int = 0
    lasting: bool = False

    @classmethod
    def of_data(cls, root: Path | str, cache: Path) -> "Place":
        """Return the place of photographs: a folder, an archive, or a URL as text, which stays as it is."""
        return cls(root, root) if isinstance(root, str) else cls.of_folder(root, cache)

    @classmethod
    def of_folder(cls, root: Path, cache: Path) -> "Place":
        """Return the place of a data folder."""
        relative = os.path.relpath(os.path.realpath(root), os.path.realpath(cache))
        try:
            status, filesystem = os.stat(root), os.statvfs(root).f_fsid
        except OSError:
            return cls(str(root), relative)
        if not stat.S_ISDIR(status.st_mode):
            return cls(str(root), relative)
        lasting = filesystem not in (0, status.st_dev) and not is_twice(filesystem, status.st_dev)
        return cls(str(root), relative, _number(filesystem or status.st_dev), _number(status.st_ino), lasting)

    def of(self, meta: Meta) -> Meta:
        """Return what a set says once its folder is here."""
        return replace(
            meta, root=self.root, relative=self.relative, filesystem=self.filesystem, inode=self.inode
        )

    def is_path_of(self, meta: Meta) -> bool:
        """Return whether the folder of a set was here, under this path or another one."""
        if not meta.root:
            return False
        if meta.root == self.root or meta.relative == self.relative:
            return True
        try:
            return os.path.samefile(meta.root, self.root)
        except OSError:
            return False

    def is_folder_of(self, meta: Meta) -> bool:
        """Return whether this is the very folder of a set, whatever is in it now."""
        if not (self.inode and meta.inode):
            return self.is_path_of(
                meta
            )  # nothing else is known of photographs that lie in no folder, and of older sets
        known = (meta.filesystem, meta.inode) == (self.filesystem, self.inode)
        # Every disk has the same number for its top folder.
        return known and (self.lasting or not os.path.ismount(self.root))

    def is_renamed(self, meta: Meta) -> bool:
        """Return whether this is the very folder of a set, which was given another name on its disk."""
        if not (meta.inode and self.is_folder_of(meta)):
            return False
        try:
            above = next(path for path in (Path(meta.root), *Path(meta.root).parents) if path.exists())
            there = Place.of_folder(above, above)
        except OSError:
            return False
        is_left = (there.filesystem, there.inode) != (meta.filesystem, meta.inode)
        return is_left and (self.lasting or os.stat(above).st_dev == os.stat(self.root).st_dev)


def is_twice(filesystem: int, device: int) -> bool:
    """Return whether another disk that is mounted now has the number of a file system, as a copy of the whole disk has."""
    for number, place in _disks():
        if number != device:
            with suppress(OSError):
                if os.statvfs(place).f_fsid == filesystem:
                    return True
    return False


def _disks() -> list[tuple[int, str]]:
    """Return the device and the place of each mounted disk; none where the system does not say, or says it otherwise."""
    found = []
    with suppress(OSError, ValueError, IndexError):
        for line in MOUNTS.read_text("utf-8", "surrogateescape").splitlines():
            fields, _, of_type = line.partition(" - ")
            if of_type.split()[1].startswith("/dev/"):
                numbers, place = fields.split()[2], fields.split()[4]
                place = re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), place)
                found.append((os.makedev(*map(int, numbers.split(":"))), place))
    return found


def _number(value: int) -> int:
    """Return a number that every reader of JSON keeps exactly."""
    return value & (2**53 - 1)
