"""Which feature set belongs to a data folder, under whatever path that lies today."""

import itertools
import logging
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from embed import files
from embed.cache.lock import Lock
from embed.cache.meta import Meta, meta_from_parts, read_meta
from embed.cache.names import check_name, comparable, folder_names
from embed.cache.origin import read_origin
from embed.cache.place import Place
from embed.cache.recipe import Recipe
from embed.cache.recognise import Photographs, Presence
from embed.errors import CacheDamagedError, CacheError, CacheFormatError, CacheLockedError, UsageError
from embed.sources import Address, address

SAME_SHARE = 0.5  # of the photographs of a set that are in the folder it is of, at least
OTHER_SHARE = 0.1  # where fewer are in another folder that took its path, that is not the folder it is of
FORMER_PLACES = 16  # remembered of a folder that moves again and again
ATTEMPTS, PAUSE_S = 100, 0.05  # to learn whose a set is that another process begins just now

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Moved:
    """A feature set whose data folder is gone, and which may be the one that is extracted now.

    Parameters
    ----------
    name : str
        Of the set.
    root : str
        Where its data folder was.
    rows, here : int
        Its photographs, and how many of them are in the folder that is extracted.
    """

    name: str
    root: str
    rows: int
    here: int


@dataclass(frozen=True)
class Wish:
    """What the user says about the set of a data folder.

    Parameters
    ----------
    name : str, optional
        Name of the set, before the backbone, in the place of that of the folder.
    move : bool
        The folder is one that is known under a path where it is no more.
    ask : callable, optional
        Asked whether it is, where that is likely and not certain.
    """

    name: str | None = None
    move: bool = False
    ask: Callable[[Moved], bool] | None = None


@dataclass(frozen=True)
class Claim:
    """A feature set that was locked for a data folder.

    Parameters
    ----------
    folder : Path
    lock : Lock
    dataset : str
        Name of the data set.
    place : Place
        Where the data folder is now.
    meta : Meta or None
        What the set was when it was locked; None for a new one.
    moved_from : str or None
        Where the data folder was before.
    likely : Moved or None
        Another set that may be that of the folder, about which nobody was asked.
    """

    folder: Path
    lock: Lock
    dataset: str
    place: Place
    meta: Meta | None
    moved_from: str | None = None
    likely: Moved | None = None


def lock_set(
    cache: Path, dataset: str, root: Address, recipe: Recipe, wish: Wish | None = None, again: str = ""
) -> Claim:
    """Lock the feature set of a data folder, or a new one.

    A set belongs to the folder at its path, and follows one that was moved: its path is gone, or is that of another
    folder now, and all of its photographs are in the new place; or it was renamed within its disk. Where only most of
    them are, the user decides. A folder that is still where it was keeps its set, whoever has copies. Several folders, and a
    list, have the set that the same ones had before (`again`), never that of the folder above them.

    Raises
    ------
    UsageError
        The name cannot be one, or belongs to another folder; there is nothing to move.
    CacheLockedError
        Another process writes to the set.
    CacheWriteError
        The disk refused.
    CacheFormatError
        A folder of that name is of a newer format.
    """
    search = _Search(cache, dataset, root, recipe, wish or Wish(), again)
    for attempt in range(ATTEMPTS + 1):
        choice = search.choose()
        files.make_folder(choice.folder)
        try:
            lock = Lock(choice.folder)
        except CacheLockedError:
            if choice.meta is not None or attempt == ATTEMPTS:
                raise
            time.sleep(PAUSE_S)  # whoever begins it will have said in a moment of which folder it is
            continue
        try:
            # Another writer may have taken the folder between the choice and the lock.
            choice, before = search.choose(), choice
            if choice.folder == before.folder:
                return search.claim(choice, lock)
        except BaseException:
            lock.release()
            raise
        lock.release()
    raise AssertionError("unreachable")


@dataclass(frozen=True)
class _Choice:
    folder: Path
    meta: Meta | None = None
    moved_from: str | None = None
    likely: Moved | None = None


class _Search:
    """Looks for the set of one data folder; what was looked up, or asked, is not looked up or asked again."""

    def __init__(
        self, cache: Path, dataset: str, root: Address, recipe: Recipe, wish: Wish, again: str
    ) -> None:
        self._again = again
        self._cache, self._root, self._recipe, self._wish = cache, root, recipe, wish
        self._start, self._end = folder_names(dataset, recipe)
        if wish.name is not None:
            self._start = check_name(wish.name.removesuffix(self._end))
        self._dataset = dataset if wish.name is None else self._start
        self._place = Place.of_data(root, cache)
        self._metas: dict[str, Meta] = {}
        self._looked: dict[tuple[str, str], Presence] = {}
        self._opened: tuple[str, Photographs] | None = None
        self._answers: dict[str, bool] = {}

    def choose(self) -> _Choice:
        """Return the set of the data folder, or the place of a new one."""
        self._metas = self._read_metas()
        own = self._own()
        if self._wish.name is not None:
            taken = self._taken(self._start + self._end)
            if taken is not None and (own is None or own.folder.name != taken):
                return self._of_that_name(taken)
        if own is not None and not self._wish.move:
            return own
        likely = self._likely(own) if self._wish.name is None or self._wish.move else []
        for one in likely:
            if self._wish.move or self._agreed(one):
                return self._moved(one.name)
        if own is not None:
            return own
        if self._wish.move:
            raise UsageError(
                f"has nothing to move: no feature set of this recipe in {self._cache} is of a folder that is gone and "
                f"whose photographs are in {self._root}",
                "move",
            )
        return _Choice(self._free(), likely=likely[0] if likely and not self._wish.ask else None)

    def claim(self, choice: _Choice, lock: Lock) -> Claim:
        """Return the set that was chosen and locked, under the name that was asked for."""
        folder, dataset = choice.folder, choice.meta.dataset if choice.meta else self._dataset
        target = self._cache / (self._start + self._end)
        if self._wish.name is not None:
            dataset = self._dataset
            if comparable(folder.name) != comparable(target.name):
                _rename(folder, target)
                folder = target
        return Claim(folder, lock, dataset, self._place, choice.meta, choice.moved_from, choice.likely)

    def _read_metas(self) -> dict[str, Meta]:
        """Return the sets of the recipe, the one extracted last first; one that lost ``meta.json`` has no root."""
        ours = re.compile(re.escape(self._start) + r"(?:-\d+)?" + re.escape(self._end))
        metas = {}
        for name in sorted(os.listdir(self._cache)):
            folder = self._cache / name
            try:
                meta: Meta | None = read_meta(folder)
            except CacheFormatError:
                if ours.fullmatch(name):
                    raise
                continue
            except (FileNotFoundError, CacheError):
                meta = (
                    meta_from_parts(folder, self._dataset)
                    if ours.fullmatch(name) and folder.is_dir()
                    else None
                )
            if meta is not None and meta.recipe.hash == self._recipe.hash and self._looks_there(folder, meta):
                metas[name] = meta
        return dict(sorted(metas.items(), key=lambda item: -item[1].extraction))

    def _looks_there(self, folder: Path, meta: Meta) -> bool:
        """Return whether a set is of a folder where one is extracted, of these folders, or of this list."""
        try:
            again = read_origin(folder).again
        except CacheError:
            again = ""
        return again == self._again and (not again or meta.dataset == self._dataset)

    def _own(self) -> _Choice | None:
        """Return the set that is certain to be that of the data folder."""
        here = [name for name, meta in self._metas.items() if self._place.is_path_of(meta)]
        same = next((name for name in here if self._place.is_folder_of(self._metas[name])), None)
        if same is not None:
            return self._kept(same)
        renamed = next((name for name in self._metas if name not in here and self._is_renamed(name)), None)
        if renamed is not None:
            return self._moved(renamed)
        # Another folder may have taken the path, as disks do that are mounted in turn.
        shares = {name: self._sampled(name, self._root).share for name in here}
        best = max(here, key=lambda name: _told(shares[name]), default=None)
        if best is not None and _told(shares[best]) >= SAME_SHARE:
            return self._kept(best)
        for name in self._metas:
            if name not in here and (self._has_moved(name) or self._is_back(name)):
                return self._moved(name)
        if best is not None and _told(shares[best]) >= OTHER_SHARE:
            return self._kept(best)
        return None

    def _of_that_name(self, name: str) -> _Choice:
        """Return the set of the name that was asked for, which is of another folder so far."""
        folder = self._cache / name
        meta = self._metas.get(name)
        if meta is not None and self._wish.move:
            return self._moved(name)
        if meta is None and name == self._start + self._end and _is_vacant(folder):
            return _Choice(folder)
        why = "which is in the way" if meta is None else f"the features of {meta.root or 'another folder'}"
        raise UsageError(
            f"{self._start!r} is taken by {folder}, {why}: give another name, or set move as well if its folder "
            "has become this one",
            "name",
        )

    def _likely(self, own: _Choice | None) -> list[Moved]:
        """Return the sets of folders that are gone and may be the data folder, the one with most photographs there first."""
        found = []
        for name, meta in self._metas.items():
            here = self._place.is_path_of(meta)
            if (here and own is None) or (not here and self._may_have_moved(name)):
                all_of_it = self._all(name)
                found.append(Moved(name, meta.root, all_of_it.rows, all_of_it.there))
        return sorted(found, key=lambda one: (one.here, one.name == self._start + self._end), reverse=True)

    def _agreed(self, likely: Moved) -> bool:
        if self._wish.ask is None:
            return False
        if likely.name not in self._answers:
            self._answers[likely.name] = self._wish.ask(likely)
        return self._answers[likely.name]

    def _kept(self, name: str) -> _Choice:
        return _Choice(self._cache / name, self._metas[name])

    def _moved(self, name: str) -> _Choice:
        meta = self._metas[name]
        former = dict(meta.former)
        back = former.pop(str(self._root), None) is not None
        if (
            meta.root not in ("", str(self._root)) and not back
        ):  # who had it while the folder was away is a copy
            former[meta.root] = meta.inode
        former = dict(list(former.items())[-FORMER_PLACES:])
        moved_from = None if self._place.is_path_of(meta) else meta.root or None
        return _Choice(self._cache / name, replace(meta, former=former), moved_from=moved_from)

    def _is_renamed(self, name: str) -> bool:
        """Return whether the data folder is that of a set, going by what the file system knows it by."""
        meta = self._metas[name]
        known = bool(meta.root) and self._place.is_renamed(meta)
        return known and _told(self._sampled(name, self._root).share, 0) >= SAME_SHARE

    def _has_moved(self, name: str) -> bool:
        """Return whether the data folder is that of a set, going by the photographs: all of them are there."""
        whole = self._may_have_moved(name) and self._is_away(name) and self._all(name).whole
        return bool(whole) and (not self._metas[name].root or self._held(name).whole)

    def _is_back(self, name: str) -> bool:
        """Return whether the data folder is that of a set which a copy took while the folder was away."""
        inode = self._metas[name].former.get(str(self._root), 0)
        return bool(inode) and inode == self._place.inode and self._holds_most(name)

    def _may_have_moved(self, name: str) -> bool:
        return self._holds_most(name) and self._is_away(name) is not False

    def _holds_most(self, name: str) -> bool:
        shares = [self._sampled(name, self._root).share]
        if self._metas[name].root:
            shares.append(self._held(name).share)
        return min(_told(share, 0) for share in shares) >= SAME_SHARE

    def _is_away(self, name: str) -> bool | None:
        """Return whether a set's folder is not where it was; None where that cannot be told."""
        root = self._metas[name].root
        try:
            os.stat(root or ".")
        except (FileNotFoundError, NotADirectoryError):
            return not isinstance(address(root), str)  # at a URL they stay
        except OSError:
            return None
        share = self._sampled(name, Path(root)).share if root else 0.0
        return None if share is None else share < SAME_SHARE

    def _sampled(self, name: str, root: Path | str) -> Presence:
        return self._look(name, f"some {root}", lambda photographs: photographs.sampled(root))

    def _all(self, name: str) -> Presence:
        return self._look(name, "all", lambda photographs: photographs.all(self._root))

    def _held(self, name: str) -> Presence:
        return self._look(name, "contents", lambda photographs: photographs.same_contents(self._root))

    def _look(self, name: str, what: str, look: Callable[[Photographs], Presence]) -> Presence:
        key = (name, what)
        if key not in self._looked:
            try:
                if self._opened is None or self._opened[0] != name:
                    self._opened = name, Photographs(self._cache / name, self._metas[name])
                self._looked[key] = look(self._opened[1])
            except CacheError as error:
                log.warning("%s", error)
                self._looked[key] = Presence()
        return self._looked[key]

    def _taken(self, name: str) -> str | None:
        """Return what is in the cache under a name, or under one that some file system takes for the same."""
        return next((n for n in os.listdir(self._cache) if comparable(n) == comparable(name)), None)

    def _free(self) -> Path:
        """Return the folder of a new set."""
        for number in itertools.count(1):
            name = self._start + (f"-{number}" if number > 1 else "") + self._end
            taken = self._taken(name)
            if taken is None or (taken == name and _is_vacant(self._cache / name)):
                return self._cache / name
        raise AssertionError("unreachable")


def _rename(folder: Path, target: Path) -> None:
    """Give a set another name, while nobody writes a model into it."""
    models = folder / "models"
    lock = Lock(models) if models.is_dir() else None
    try:
        os.rename(folder, target)
        files.sync_folder(target.parent)
    except OSError as error:
        raise files.write_error(target, error) from error
    finally:
        if lock is not None:
            lock.release()


def _told(share: float | None, otherwise: float = 1.0) -> float:
    return otherwise if share is None else share


def _is_vacant(folder: Path) -> bool:
    """Return whether a folder is one that a set may have begun in, and that holds nothing of use."""
    if not folder.is_dir():
        return False
    try:
        read_meta(folder)
    except (FileNotFoundError, CacheDamagedError):
        return meta_from_parts(folder, "") is None
    return False
