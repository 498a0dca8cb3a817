"""The feature sets of a cache."""

import logging
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from embed.cache.listing import part_names
from embed.cache.meta import META_NAME, MOST_EXTRACTIONS, Meta, read_meta
from embed.cache.names import folder_names
from embed.errors import CacheDamagedError, CacheError, NoFeaturesError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class FeatureSet:
    """One feature set of a cache: where it is and what its ``meta.json`` says."""

    folder: Path
    meta: Meta

    @property
    def name(self) -> str:
        """Name of the folder, which picks the set on the command line."""
        return self.folder.name

    @property
    def data_name(self) -> str:
        """Name of the data set, which picks the set as well where there is one of that name."""
        return self.name.removesuffix(folder_names("", self.meta.recipe)[1])


def list_features(cache: Path) -> list[FeatureSet]:
    """Return the feature sets of a cache, the one extracted last first; `sick_features` names those left out.

    Raises
    ------
    CacheError
        The folder cannot be read.
    """
    return _scan(Path(cache))[0]


def sick_features(cache: Path) -> dict[str, CacheError]:
    """Return the feature sets that cannot be used as they are: the name of each, and what is wrong with it.

    Raises
    ------
    CacheError
        The folder cannot be read.
    """
    return _scan(Path(cache))[1]


def find_features(cache: Path, name: str | None = None) -> FeatureSet:
    """Return the feature set of that name, or the one of the data set of that name, or the one extracted last.

    A set that is damaged or of a newer format stops nobody who asks for another one; it is said in the log.

    Raises
    ------
    NoFeaturesError
        There is none, or the data set has several.
    CacheDamagedError, CacheFormatError
        The set of that name, or every one, is damaged or of a newer format.
    """
    cache = Path(cache)
    if name is not None:
        # Only this one is looked at: damage in another set is no concern of its reader.
        with suppress(FileNotFoundError):
            if Path(name).name == name:
                return FeatureSet(cache / name, read_set(cache / name))
        sets = list_features(cache)
        of_that_name = [found for found in sets if found.data_name == name]
        if len(of_that_name) == 1:
            return of_that_name[0]
        known = ", ".join(found.name for found in of_that_name or sets) or "none"
        one = "more than one feature set" if of_that_name else "no feature set"
        raise NoFeaturesError(f"{cache} holds {one} {name!r}; it holds: {known}")
    sets, sick = _scan(cache)
    if not sets:
        raise next(
            iter(sick.values()),
            NoFeaturesError(f"{cache} holds no features: run `embed extract` first, or name another cache"),
        )
    _say(sick)
    return sets[0]


def read_set(folder: Path) -> Meta:
    """Return what ``meta.json`` says.

    Raises
    ------
    FileNotFoundError
        The folder is no feature set.
    CacheDamagedError
        ``meta.json`` is damaged, or missing beside parts.
    CacheFormatError
        It is of another or a newer format.
    """
    path = folder / META_NAME
    hint = "run embed extract on the same photographs, which makes it anew from the parts"
    try:
        return read_meta(folder)
    except FileNotFoundError:
        if "--" in folder.name and folder.is_dir() and part_names(folder):
            raise CacheDamagedError(f"{path} is missing: {hint}") from None
        raise
    except CacheDamagedError as error:
        raise CacheDamagedError(f"{error}; {hint}") from error


def _scan(cache: Path) -> tuple[list[FeatureSet], dict[str, CacheError]]:
    """Return the sets that can be used, the one extracted last first, and what is wrong with the others."""
    sets: list[FeatureSet] = []
    sick: dict[str, CacheError] = {}
    try:
        folders = sorted(path for path in cache.iterdir() if path.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return sets, sick
    except OSError as error:
        raise CacheError(f"cannot read {cache}: {error.strerror or error}") from error
    for folder in folders:
        try:
            sets.append(FeatureSet(folder, read_set(folder)))
        except FileNotFoundError:
            continue
        except CacheError as error:
            sick[folder.name] = error
    return sorted(sets, key=lambda s: (-s.meta.extraction, s.name)), sick


def _say(sick: dict[str, CacheError]) -> None:
    for error in sick.values():
        log.warning("%s", error)


def next_extraction(cache: Path, name: str) -> int:
    """Return the number of the extraction into a set that begins, one above that of any set of the cache."""
    sets, sick = _scan(cache)
    _say({other: error for other, error in sick.items() if other != name})
    return min(MOST_EXTRACTIONS, 1 + max((found.meta.extraction for found in sets), default=0))
