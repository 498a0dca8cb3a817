"""Faults at the system calls of a writer: a kill before each of them, an error from one, and a power cut.

``Calls`` stands between the cache and ``os``; every call that touches the folder passes through it.
"""

import contextlib
import os
import signal
from pathlib import Path

CALLS = ("open", "write", "pwrite", "ftruncate", "fsync", "close", "link", "unlink", "rename", "replace")
CALLS += ("mkdir",)


class Calls(contextlib.AbstractContextManager):
    """Counts and records the system calls below a folder while the ``with`` block runs.

    Parameters
    ----------
    folder : Path
    kill_before : int, optional
        Number of the call before which the process kills itself.
    fail : callable, optional
        Called with the name of each call and its path; an ``errno`` that it returns is raised instead of the call.
    """

    def __init__(self, folder, kill_before=None, fail=lambda call, path: 0):
        self.folder, self.kill_before, self.fail = str(folder), kill_before, fail
        self.count = 0
        self.trace = []  # (call, *arguments), paths as strings; ("acknowledge", rows) is put in by the driver
        self.paths = {}

    def __enter__(self):
        self.originals = {name: getattr(os, name) for name in CALLS}
        for name in CALLS:
            setattr(os, name, self._wrap(name))
        return self

    def __exit__(self, *error):
        for name, original in self.originals.items():
            setattr(os, name, original)

    def _wrap(self, name):
        original = self.originals[name]

        def call(*arguments, **options):
            target = arguments[0]
            path = self.paths.get(target) if isinstance(target, int) else os.fspath(target)
            if path is None or not str(path).startswith(self.folder):
                return original(*arguments, **options)
            path = str(path)
            if name != "close" and not (name == "open" and not arguments[1] & os.O_CREAT):
                # Calls that change nothing on disk are no boundary of their own.
                if self.count == self.kill_before:
                    os.kill(os.getpid(), signal.SIGKILL)
                self.count += 1
                code = self.fail(name, path)
                if code:
                    raise OSError(code, os.strerror(code), path)
            result = original(*arguments, **options)
            self._record(name, path, arguments, result)
            return result

        return call

    def _record(self, name, path, arguments, result):
        if name == "open":
            self.paths[result] = path
            if arguments[1] & os.O_CREAT:
                self.trace.append(("create", path))
        elif name == "write":
            self.trace.append(("write", path, bytes(arguments[1][:result])))
        elif name == "pwrite":
            self.trace.append(("pwrite", path, bytes(arguments[1]), arguments[2]))
        elif name == "ftruncate":
            self.trace.append(("truncate", path, arguments[1]))
        elif name in ("link", "rename", "replace"):
            self.trace.append((name, path, str(arguments[1])))
        elif name == "close":
            del self.paths[arguments[0]]
        elif name in ("fsync", "unlink", "mkdir"):
            self.trace.append((name, path))


class Disk:
    """What a disk may hold after a power cut: only what was made durable is certain.

    A file's content is durable after fsync of the file; a name after fsync of its folder. What was not made durable
    may be there or not, names in the order in which they changed.
    """

    def __init__(self):
        self.files = {}  # inode: [content, durable content or None]
        self.names = {}  # path: inode, as running processes see it
        self.durable = {}  # path: inode, as the disk is certain to hold it
        self.pending = []  # (path, inode or None): changes of names since the last fsync of their folder
        self.acknowledged = []

    def apply(self, event):
        call, path, *rest = event
        if call == "acknowledge":
            self.acknowledged.append(path)
        elif call in ("create", "mkdir") and path not in self.names:
            inode = len(self.files)
            self.files[inode] = [b"" if call == "create" else None, None]
            self._name(path, inode)
        elif call == "write":
            self.files[self.names[path]][0] += rest[0]
        elif call == "pwrite":
            data, offset = rest
            before = self.files[self.names[path]][0].ljust(offset, b"\0")
            self.files[self.names[path]][0] = before[:offset] + data + before[offset + len(data) :]
        elif call == "truncate":
            self.files[self.names[path]][0] = self.files[self.names[path]][0].ljust(rest[0], b"\0")[: rest[0]]
        elif call == "fsync":
            inode = self.names.get(path)
            if inode is not None and self.files[inode][0] is not None:
                self.files[inode][1] = self.files[inode][0]
            else:
                self._sync_folder(path)
        elif call in ("link", "rename", "replace"):
            self._name(rest[0], self.names[path])
            if call != "link":
                self._name(path, None)
        elif call == "unlink":
            self._name(path, None)

    def _name(self, path, inode):
        self.pending.append((path, inode))
        if inode is None:
            self.names.pop(path, None)
        else:
            self.names[path] = inode

    def _sync_folder(self, folder):
        for path, inode in [change for change in self.pending if os.path.dirname(change[0]) == folder]:
            if inode is None:
                self.durable.pop(path, None)
            else:
                self.durable[path] = inode
        self.pending = [change for change in self.pending if os.path.dirname(change[0]) != folder]

    def cut(self, root, survivors, content):
        """Write what is left into ``root``.

        Of the pending changes of names the first ``survivors`` reached the disk; ``content`` says what a file that was
        not synced holds: ``"all"``, ``"none"``, ``"half"`` or ``"zeros"``.
        """
        names = dict(self.durable)
        for path, inode in self.pending[:survivors]:
            if inode is None:
                names.pop(path, None)
            else:
                names[path] = inode
        for path, inode in sorted(names.items()):
            target = Path(root + path)
            whole, durable = self.files[inode]
            if whole is None:
                target.mkdir(parents=True, exist_ok=True)
                continue
            if not self._reachable(path, names):
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(whole if durable == whole else unsynced(whole, durable or b"", content))

    def _reachable(self, path, names):
        """Return whether the folders above a file, as far as they were made here, are there as well."""
        made = {p for p, inode in self.names.items() if self.files[inode][0] is None}
        return all(str(parent) in names for parent in Path(path).parents if str(parent) in made)


def unsynced(whole, durable, content):
    """Return what a file may hold whose last writes were not made durable."""
    return {
        "all": whole,
        "none": durable,
        "half": whole[: (len(whole) + len(durable)) // 2],
        "zeros": durable + bytes(max(0, len(whole) - len(durable))),
    }[content]
