"""The feature set that is served, as it is now: it is opened anew when an extraction commits, and outlives any damage to it."""

import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed import api
from embed.errors import EmbedError, ModelError, NoFeaturesError

BLOCK_ROWS = 4096


class Once:
    """Makes something once, whichever thread asks first, with what it hands over; what fails is tried again."""

    def __init__(self, make: Callable[..., Any], before: "Once | None" = None) -> None:
        self._make = make
        self._before = before
        self._lock = threading.Lock()
        self._made: Any = None
        self.there = False

    def __call__(self, *arguments: Any) -> Any:
        with self._lock:
            if not self.there:
                self._made = self._make(*arguments)
                self.there, self._before = True, None
            return self._made

    @property
    def last(self) -> "Once | None":
        """This one where it is made, or else the last one before it that was."""
        return self if self.there else self._before


@dataclass(frozen=True)
class Predicted:
    """What a model says of every photograph of a set.

    Attributes
    ----------
    classes : list of str
    best : ndarray of shape (n,), int
        The place of the class predicted.
    probability : ndarray of shape (n,), float32
        Of that class.
    unsure : ndarray of shape (n,), float32
        How near the second class comes: 1 where both are as probable.
    """

    classes: list[str]
    best: NDArray[np.int64]
    probability: NDArray[np.float32]
    unsure: NDArray[np.float32]


@dataclass(frozen=True)
class Snapshot:
    """A feature set with its labels and the model fitted last, as they were at one moment.

    Attributes
    ----------
    features : Features
    searcher : Once
    model : Model or None
    no_model : str
        Why there is none, where there should be one.
    stamps : tuple
        What the files said that it was made from.
    number : int
        Which snapshot of this process it is.
    """

    features: api.Features
    searcher: Once
    model: api.Model | None
    no_model: str
    stamps: tuple[Any, ...] = field(repr=False)
    number: int = field(default_factory=itertools.count(1).__next__)

    @property
    def cache(self) -> api.FeatureCache:
        """The rows."""
        return self.features.cache

    @cached_property
    def file_of(self) -> Callable[[str], Path | str]:
        """Gives the file of a photograph, or where it is, by its path."""
        return api.locator(self.features.root)

    @cached_property
    def given(self) -> api.Given:
        """The labels that were given by hand, and the groups."""
        return api.given(self.cache)

    @cached_property
    def folders(self) -> NDArray[np.object_]:
        """The folder that each photograph is in."""
        return np.array([path.rpartition("/")[0] for path in self.features.paths.tolist()], object)

    @cached_property
    def predicted(self) -> Predicted | None:
        """What the model says of every photograph; None where there is no model."""
        if self.model is None:
            return None
        best, probability, unsure = [], [], []
        for _, block in self.cache.blocks(BLOCK_ROWS):
            found = self.model.predict_proba(block)
            order = np.argsort(-found, axis=1, kind="stable")[:, :2]
            first = np.take_along_axis(found, order[:, :1], 1)[:, 0]
            second = np.take_along_axis(found, order[:, -1:], 1)[:, 0]
            best.append(order[:, 0])
            probability.append(first)
            unsure.append(1 - (first - second))
        none = np.empty(0)
        return Predicted(
            self.model.classes,
            np.concatenate([none, *best]).astype(np.int64),
            np.concatenate([none, *probability]).astype(np.float32),
            np.concatenate([none, *unsure]).astype(np.float32),
        )


class Collection:
    """Gives the feature set as it is now; any thread may ask.

    Parameters
    ----------
    cache : Path
        Folder of the feature sets.
    name : str, optional
        Of one of them, or of its data set; by default the one extracted last.
    labels : str, optional
        Where labels come from; by default those given by hand, or the folders where these label more.
    root : Path, optional
        The data folder of the set.
    """

    def __init__(
        self, cache: Path, name: str | None = None, labels: str | None = None, root: Path | None = None
    ) -> None:
        self.cache = cache
        self.name = name
        self.labels = labels
        self.root = None if root is None else str(root.resolve())
        self._embedder: api.Embedder | None = None
        self._embedding = threading.Lock()
        self.problem = ""
        self._now: Snapshot | None = None
        self._lock = threading.Lock()

    @property
    def now(self) -> Snapshot:
        """The set as it was when it was looked at last.

        Raises
        ------
        EmbedError
            None could be opened so far.
        """
        if self._now is None:
            self.refresh()
        if self._now is None:
            raise NoFeaturesError(self.problem or "There are no photographs yet.")
        return self._now

    @property
    def opened(self) -> Snapshot | None:
        """The set as it was when it was looked at last; None where none could be opened so far."""
        return self._now

    def refresh(self) -> bool:
        """Look whether the set, its labels or its models have changed, and return whether there is another snapshot.

        What cannot be opened is told in `problem`, and the last snapshot stays.
        """
        with self._lock:
            try:
                found = self._opened()
                self.problem = ""
            except (EmbedError, OSError) as error:
                self.problem = str(error)
                return False
            changed = found is not self._now
            self._now = found
            return changed

    def _opened(self) -> Snapshot:
        before = self._now
        opened = api.FeatureCache.open(self.found())
        same = (
            before is not None
            and (before.cache.folder, before.cache.fingerprint) == (opened.folder, opened.fingerprint)
            and before.cache.meta.complete == opened.meta.complete
        )
        cache = before.cache if before is not None and same else opened
        labels = _stamp([cache.labels_file, *sorted(cache.folder.glob("*.json"))])  # and the groups
        models = _stamp(sorted((cache.folder / "models").glob("*/model.json")))
        stamps = (labels, models)
        if before is not None and same and before.stamps == stamps:
            return before
        if before is not None and same and before.stamps[0] == labels:
            features, searcher = before.features, before.searcher
        else:
            features = api.Features(cache, self._rule(cache))
            shared = before.searcher.last if before is not None and same else None
            searcher = Once(lambda progress=None: _searcher(features, shared, progress), shared)
        if before is not None and same and before.stamps[1] == models:
            model, no_model = before.model, before.no_model
        else:
            model, no_model = _model(cache)
        return Snapshot(features, searcher, model, no_model, stamps)

    def found(self) -> api.FeatureSet:
        """Return the set that is meant, as it is now. Raises CacheError where there is none."""
        if self.root is None or self.name is not None:
            return api.find_features(self.cache, self.name)
        for one in api.list_features(self.cache):
            if one.meta.root == self.root:
                return one
        raise NoFeaturesError(f"Nothing has been extracted of {self.root} yet.")

    def _rule(self, cache: api.FeatureCache) -> str:
        if self.labels is not None:
            return self.labels
        by_hand = len(cache) - len(api.given(cache).labels.unlabelled)
        folders = sum(label is not None for label in api.Features(cache, "folder").y)
        return "hand" if by_hand and by_hand >= folders else "folder"

    def embed(self, photographs: Sequence[bytes]) -> list[api.Embedded]:
        """Return the features of photographs, computed as those of the set."""
        return api.embed_photographs(self._embedder_of(self.now.cache), list(photographs))

    def _embedder_of(self, cache: api.FeatureCache) -> api.Embedder:
        with self._embedding:  # one network is enough
            before = self._embedder
            self._embedder = api.Embedder(cache) if before is None else before.of(cache)
            return self._embedder


def _searcher(
    features: api.Features, shared: Once | None, progress: Callable[[str, int, int], None] | None
) -> api.Searcher:
    if shared is not None:
        return shared().relabelled(features.rule)
    return features.searcher(progress=progress)


def _model(cache: api.FeatureCache) -> tuple[api.Model | None, str]:
    try:
        return api.load(cache, notify=lambda _: None), ""
    except ModelError as error:
        return None, str(error)


def _stamp(files: Sequence[Path]) -> tuple[Any, ...]:
    stamps = []
    for file in files:
        try:
            status = file.stat()
        except OSError:
            continue
        stamps.append((str(file), status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(stamps)
