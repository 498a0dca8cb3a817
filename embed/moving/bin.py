"""The bin: a folder beside the photographs that holds what was put aside, and that is never extracted.

What goes into it is renamed, in one step, and so is what comes back: at no moment is a photograph in neither place, or in
both. What is about to move is in the journal before it does, so that all of it can be put back whenever the process ends.
"""

import os
import stat
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from embed import files
from embed.errors import ImageError, InputError, UsageError
from embed.moving import journal
from embed.moving.rename import rename
from embed.sources import BIN, BIN_JOURNAL, Files, Item
from embed.sources.file import stamp


@dataclass(frozen=True)
class Wanted:
    """A photograph that is to be put aside, and what is known of it: where it is another one now, it stays.

    Parameters
    ----------
    path : str
        In the data folder.
    size, mtime_ns : int, optional
        Of its file when it was read.
    sha256 : bytes
        Of its content.
    """

    path: str
    size: int | None = None
    mtime_ns: int | None = None
    sha256: bytes = b""


@dataclass(frozen=True)
class Binned:
    """A photograph in the bin.

    Attributes
    ----------
    path : str
        In the data folder, where it was.
    file : Path
        Where it is.
    size : int
        In bytes.
    batch : str
        What was put aside together has one.
    time : str
        When: local time.
    reason : str
        Why, as whoever put it aside said.
    sha256 : str
        Hexadecimal; empty where it is not known.
    """

    path: str
    file: Path
    size: int
    batch: str
    time: str
    reason: str
    sha256: str


@dataclass(frozen=True)
class Left:
    """A photograph that stays where it is, and why."""

    path: str
    problem: str


@dataclass(frozen=True)
class Moved:
    """What was put aside, or would be.

    Attributes
    ----------
    bin : Path
    photographs : tuple of Binned
    left : tuple of Left
        What stays.
    dry_run : bool
        Whether nothing was done.
    """

    bin: Path
    photographs: tuple[Binned, ...] = field(repr=False)
    left: tuple[Left, ...] = ()
    dry_run: bool = False

    @property
    def bytes(self) -> int:
        """Size of the photographs."""
        return sum(one.size for one in self.photographs)


@dataclass(frozen=True)
class Restored:
    """What was put back.

    Attributes
    ----------
    bin : Path
    photographs : tuple of str
        Their paths in the data folder.
    left : tuple of Left
        What stays in the bin.
    """

    bin: Path
    photographs: tuple[str, ...] = field(repr=False)
    left: tuple[Left, ...] = ()


def bin_of(root: Path, paths: Sequence[str], folder: Path | None = None) -> "Bin":
    """Return the bin of a data folder: the one in it, or the one that is named.

    Parameters
    ----------
    root : Path
        The data folder.
    paths : sequence of str
        Of all its photographs: of a list that names them from the root of the system the bin is in what they have in common.
    folder : Path, optional

    Raises
    ------
    UsageError
        The photographs have no folder in common.
    """
    if folder is not None:
        return Bin(folder, root)
    home = root
    if root == Path(root.anchor):
        home = (
            root / os.path.commonpath([f"{root}{path}" for path in (paths[0], paths[-1])])
            if len(paths)
            else root
        )
        home = home if home.is_dir() else home.parent
        if home == root:
            raise UsageError("The photographs have no folder in common: say where the bin is to be")
    return Bin(home / BIN, root)


class Bin:
    """A folder for photographs that were put aside.

    Parameters
    ----------
    folder : Path
        The bin, which need not be there yet.
    root : Path
        The data folder that the paths of photographs are relative to.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder = folder.absolute()
        self.root = root.absolute()

    def move(self, wanted: Iterable[Wanted], *, reason: str = "", dry_run: bool = False) -> Moved:
        """Put photographs aside.

        Parameters
        ----------
        wanted : iterable of Wanted
        reason : str
            Why; the journal keeps it.
        dry_run : bool
            Only look what would be done.

        Raises
        ------
        InputError
            The folder cannot be a bin; a path leads out of the data folder.
        CacheWriteError
            The journal cannot be written; nothing has moved then.
        """
        self._check()
        left: list[Left] = []
        going = list(self._judged(wanted, left))
        if dry_run or not going:
            shown = tuple(self._binned(self._entry("", one, reason, "")) for one in going)
            return Moved(self.folder, shown, tuple(left), dry_run)
        files.make_folder(self.folder)
        now = time.strftime("%Y-%m-%d %H:%M:%S")
        with files.locked(self.folder / BIN_JOURNAL):
            batch = self._new_batch(now)
            entries = [self._entry(batch, one, reason, now) for one in going]
            journal.write(self.folder, self.root, entries)
            moved, stay = _renamed(
                (entry.path, self.root / entry.path, self.folder / batch / entry.path) for entry in entries
            )
        done = tuple(self._binned(entry) for entry in entries if entry.path in moved)
        return Moved(self.folder, done, (*left, *stay))

    def contents(self) -> list[Binned]:
        """Return what is in the bin from this data folder, in the order in which it came.

        Raises
        ------
        CacheError
            The journal cannot be read.
        """
        found = {(one.batch, one.path): one for one in journal.read(self.folder, self.root)}
        binned = map(self._binned, found.values())
        return [one for one in binned if os.path.lexists(one.file)]

    def restore(self, photographs: Sequence[str] | None = None, batch: str | None = None) -> Restored:
        """Put photographs back where they were; over no file that has come there meanwhile.

        Parameters
        ----------
        photographs : sequence of str, optional
            Their paths in the data folder; by default all of the batch.
        batch : str, optional
            What was put aside together; by default the last, or where photographs are named whichever has them.

        Raises
        ------
        InputError
            There is no such batch, or no such photograph in the bin.
        CacheError
            The journal cannot be read.
        """
        self._check()
        if not (self.folder / BIN_JOURNAL).exists():
            return self._restored([], photographs, batch)
        with files.locked(self.folder / BIN_JOURNAL):
            return self._restored(self.contents(), photographs, batch)

    def _restored(
        self, there: list[Binned], photographs: Sequence[str] | None, batch: str | None
    ) -> Restored:
        if batch is None and photographs is None and there:
            batch = there[-1].batch
        chosen = [one for one in there if batch is None or one.batch == batch]
        if batch is not None and not chosen:
            raise InputError(f"There is nothing of {batch!r} in {self.folder}.")
        if photographs is not None:
            last = {one.path: one for one in chosen}
            for path in photographs:
                if path not in last:
                    raise InputError(f"{path} is not in {self.folder}.")
            chosen = [last[path] for path in dict.fromkeys(photographs)]
        moved, stay = _renamed((one.path, one.file, self.root / one.path) for one in chosen)
        for name in {one.batch for one in chosen}:
            _remove_empty(self.folder / name)
        return Restored(self.folder, tuple(one.path for one in chosen if one.path in moved), tuple(stay))

    def _check(self) -> None:
        """Raise InputError where the folder cannot be a bin."""
        if self.folder.name == BIN and self.folder.is_symlink():
            raise InputError(f"{self.folder} is a link; a bin is a folder.")
        try:
            names = [one.name for one in self.folder.iterdir()]
        except FileNotFoundError:
            return
        except OSError as error:
            raise InputError(f"{self.folder} cannot be used as a bin: {error.strerror}.") from error
        if BIN_JOURNAL not in names and set(names) - {
            f".{BIN_JOURNAL}.lock"
        }:  # a kill may leave the lock alone
            raise InputError(
                f"{self.folder} holds other files, so it cannot become a bin; name a folder that is new or empty."
            )

    def _judged(self, wanted: Iterable[Wanted], left: list[Left]) -> Iterator[Wanted]:
        """Yield what can be put aside, with its size, each once, and note the rest."""
        above = next(folder for folder in (self.folder, *self.folder.parents) if folder.is_dir())
        device = above.stat().st_dev
        for path, one in {one.path: one for one in wanted}.items():
            journal.check_inside(path)
            file = self.root / path
            try:
                status = file.stat()
                if not stat.S_ISREG(status.st_mode):
                    raise ImageError("is no file")
                if file.lstat().st_dev != device:
                    raise ImageError(f"is on another disk than {self.folder}, and nothing is copied")
                if file.resolve().is_relative_to(self.folder.resolve()):
                    raise ImageError("is in the bin already")
                if (status.st_size, stamp(status)) != (one.size, one.mtime_ns) and one.sha256:
                    _check_content(file, one.sha256)
                yield Wanted(path, status.st_size, one.mtime_ns, one.sha256)
            except FileNotFoundError:
                left.append(Left(path, "is not there any more"))
            except OSError as error:
                left.append(Left(path, f"cannot be looked at: {error.strerror or error}"))
            except ImageError as error:
                left.append(Left(path, str(error)))

    def _new_batch(self, now: str) -> str:
        name = now.replace(" ", "-").replace(":", "")
        taken = {one.batch for one in journal.read(self.folder, self.root)} | {
            one.name for one in self.folder.iterdir()
        }
        return next(
            one for one in (name, *(f"{name}-{n}" for n in range(2, len(taken) + 3))) if one not in taken
        )

    def _entry(self, batch: str, one: Wanted, reason: str, now: str) -> journal.Entry:
        return journal.Entry(batch, one.path, one.size or 0, one.sha256.hex(), now, reason)

    def _binned(self, one: journal.Entry) -> Binned:
        return Binned(
            one.path,
            self.folder / one.batch / one.path,
            one.size,
            one.batch,
            one.time,
            one.reason,
            one.sha256,
        )


def _check_content(file: Path, sha256: bytes) -> None:
    """Raise ImageError where a file has another content."""
    ((_, content),) = Files([]).read([Item(str(file))])
    if isinstance(content, str):
        raise ImageError(content)
    if content.sha256 != sha256:
        raise ImageError("has changed since its features were computed; extract them again")


def _renamed(moves: Iterable[tuple[str, Path, Path]]) -> tuple[set[str], list[Left]]:
    """Rename files, each told by its path in the data folder; return which were, and which stay and why."""
    done, left, folders = set(), [], set()
    for path, file, to in moves:
        try:
            to.parent.mkdir(parents=True, exist_ok=True)
            rename(file, to)
            done.add(path)
            folders |= {file.parent, to.parent}
        except FileExistsError:
            left.append(Left(path, f"another file is at {to} now"))
        except FileNotFoundError:
            left.append(Left(path, "is not there any more"))
        except OSError as error:
            left.append(Left(path, f"cannot be moved: {error.strerror or error}"))
    for folder in folders:
        with suppress(OSError):  # a power cut may then undo the last of it, and the journal knows
            files.sync_folder(folder)
    return done, left


def _remove_empty(folder: Path) -> None:
    """Remove the folders of a batch in which nothing is left."""
    for place, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):
            Path(place).rmdir()
