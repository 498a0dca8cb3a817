"""A disk that fails: chosen folders cannot be listed to their end, chosen files cannot be looked at or opened."""

import errno
import os


class FailingDisk:
    """Stands before the calls by which photographs are found and read, until `monkeypatch` takes it away.

    Parameters
    ----------
    monkeypatch : pytest.MonkeyPatch
    code : int
        What a call on a path fails with that contains one of `parts`.
    """

    def __init__(self, monkeypatch, code=errno.EIO):
        self.code = code
        self.listing, self.stat, self.opening = (
            [],
            [],
            [],
        )  # parts of paths at which each of these calls fails
        self.scandir, self.open = os.scandir, os.open
        monkeypatch.setattr(os, "scandir", lambda place: _Listing(self, place))
        monkeypatch.setattr(os, "open", self._open)

    def fail(self, parts, path):
        if any(part in os.fsdecode(path) for part in parts):
            raise OSError(self.code, os.strerror(self.code))

    def _open(self, path, *arguments, **options):
        self.fail(self.opening, path)
        return self.open(path, *arguments, **options)


class _Listing:
    """What ``os.scandir`` returns; one that fails does so after the first entry."""

    def __init__(self, disk, place):
        self.disk, self.place = disk, place
        self.entries = disk.scandir(place)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.entries.close()

    def __iter__(self):
        for entry in self.entries:
            yield _Entry(self.disk, entry)
            self.disk.fail(self.disk.listing, self.place)


class _Entry:
    def __init__(self, disk, entry):
        self.disk, self.entry = disk, entry
        self.name, self.path = entry.name, entry.path
        self.is_dir, self.is_file, self.is_symlink = entry.is_dir, entry.is_file, entry.is_symlink

    def stat(self):
        self.disk.fail(self.disk.stat, self.path)
        return self.entry.stat()
