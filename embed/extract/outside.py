"""Features of photographs outside a cache, by the recipe of that cache: what a query or a prediction needs."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from copy import copy
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from embed import backbones, images, sources
from embed.backbones import Network, ResolvedNetwork, Runtime, open_runtime
from embed.cache import FeatureCache, Recipe, joined_features
from embed.errors import CacheError
from embed.extract import pipeline
from embed.extract.options import RunOptions


@dataclass(slots=True)
class Embedded:
    """One photograph with its features, or the reason why it has none.

    Parameters
    ----------
    file : path, or URL as text
    sha256 : bytes
        Of the content; empty where it could not be read.
    features : ndarray of shape (views, d), float32, or None
        The first view is the plain photograph.
    problem : str, optional
    cached : bool
        Whether the features came from the cache, without a forward pass.
    """

    file: sources.Address
    sha256: bytes
    features: np.ndarray | None
    problem: str | None = None
    cached: bool = False


def network_of(features: FeatureCache) -> ResolvedNetwork:
    """Return the network that computed a feature set, ready to run.

    Raises
    ------
    WeightsError
        Its weights cannot be had.
    CacheError
        The weights under that name, or the decoder of this version, are not those that computed it; there is no one network.
    """
    recipe = features.recipe
    if recipe.joined:
        names = " and ".join(part.backbone for part in recipe.joined)
        raise CacheError(
            f"The features of {features.name} are those of {names}; take the set of one of them for this."
        )
    if recipe.imported:
        raise CacheError(
            f"The features of {features.name} were imported from {recipe.weights}, and nothing here can compute those of another "
            "photograph: import its vector as well, or extract the photographs with a network of yours."
        )
    return _network(recipe, features)


def _network(recipe: Recipe, features: FeatureCache) -> ResolvedNetwork:
    """Return the network of a recipe, which is that of a feature set or one of those joined in it."""
    if (recipe.decoder, recipe.interpolation) != (images.DECODER_VERSION, images.INTERPOLATION):
        raise CacheError(
            f"{features.name} was computed from pixels that this version of embed no longer makes (decoder "
            f"{recipe.decoder}, {recipe.interpolation}); run {features.again} again."
        )
    backbone = backbones.known(recipe.backbone, recipe.preprocess)
    if recipe.weights != backbone.published:
        # A file of the user's own: its export is found by the hash of the file, which may be gone.
        return ResolvedNetwork(
            backbone=backbone,
            weights=recipe.weights,
            weights_sha256=recipe.weights_sha256,
            weights_file=None,
            layer=recipe.layer,
            pooling=recipe.pooling,
            size=recipe.size,
            mirror=recipe.mirror,
        )
    network = Network(
        recipe.backbone, layer=recipe.layer, pooling=recipe.pooling, size=recipe.size, mirror=recipe.mirror
    ).resolve()
    if network.weights_sha256 != recipe.weights_sha256:
        raise CacheError(
            f"The {recipe.weights} weights of {recipe.backbone} on this machine are not those that computed "
            f"{features.name}, and features of the two cannot be compared; run {features.again} again."
        )
    return network


def embed_files(
    files: Iterable[sources.Address] | images.Given,
    cache: FeatureCache,
    run: RunOptions | None = None,
    *,
    views: bool = False,
    notify: Callable[[str], None] | None = None,
) -> Iterator[Embedded]:
    """Yield the features of each photograph, in order, computed as the rows of `cache` were; see `Embedder`."""
    yield from Embedder(cache, run, notify).embed(files, views=views)


class Embedder:
    """Computes the features of photographs as the rows of a feature set were; any thread may ask.

    A file whose content is in the set takes its features from there; the backbone is opened when another comes along, and stays
    open. Where the features of the set were imported, another photograph has none, and the reason is told.

    Parameters
    ----------
    features : FeatureCache
        The feature set whose recipe is followed.
    run : RunOptions, optional
        Device and workers.
    notify : callable, optional
        Is told, in a sentence, where the backbone has to be prepared, which takes seconds.
    """

    def __init__(
        self,
        features: FeatureCache,
        run: RunOptions | None = None,
        notify: Callable[[str], None] | None = None,
    ) -> None:
        self._cache, self._run, self._notify = features, run or RunOptions(), notify
        self._parts = features.recipe.joined or (features.recipe,)
        self._opened: dict[str, Future[Runtime]] = {}  # by the recipe
        self._lock = threading.Lock()

    def of(self, features: FeatureCache) -> "Embedder":
        """Return one for other features, as those of the same photographs later; the networks that are open serve both."""
        other = copy(self)
        other._cache = features
        other._parts = features.recipe.joined or (features.recipe,)
        return other

    def embed(
        self, files: Iterable[sources.Address] | images.Given, *, views: bool = False
    ) -> Iterator[Embedded]:
        """Yield the features of each photograph, in order.

        Parameters
        ----------
        files : iterable of path or URL, or Given
        views : bool
            All views of the recipe rather than the plain photograph alone.

        Raises
        ------
        WeightsError, CacheError
            As `network_of`, where a photograph is not in the cache.
        """
        if len(self._parts) > 1 and not isinstance(files, images.Given):
            files = list(files)  # each network looks at them
        source = files if isinstance(files, images.Given) else sources.Files(files)
        imported = next((part for part in self._parts if part.imported), None)
        if imported is not None:
            yield from _looked_up(source, self._cache, imported)
            return
        count = self._cache.recipe.views if views else 1
        of_each = [self._computed(source, part, count) for part in self._parts]
        for results in zip(*of_each, strict=True):
            yield _embedded(_together(results), self._cache, count)

    def _computed(
        self, source: images.Given | sources.Files, recipe: Recipe, count: int
    ) -> Iterator[pipeline.Result]:
        """Yield what one network makes of each photograph that is not in the cache."""

        @cache
        def runtime() -> Future[Runtime]:
            return self._runtime(recipe)

        def known(sha256: bytes) -> bool:
            if self._cache.row_of_content(sha256) is not None:
                return True
            runtime()  # made ready while the photograph is decoded
            return False

        groups = ([item] for item in source.items())
        with pipeline.open_decoder(recipe, self._run, count) as decoder:
            yield from pipeline.compute(
                source,
                groups,
                decoder,
                lambda: runtime().result(),
                skip=known,
                batch_size=self._run.batch_size,
            )

    def _runtime(self, recipe: Recipe) -> "Future[Runtime]":
        """Return the network of a recipe, which a thread of its own opens; one that could not be opened is tried anew."""
        with self._lock:
            opened = self._opened.get(recipe.hash)
            if opened is None or (opened.done() and opened.exception() is not None):
                opened = self._opened[recipe.hash] = Future()
                threading.Thread(target=self._open, args=(recipe, opened), name="open").start()
            return opened

    def _open(self, recipe: Recipe, opened: "Future[Runtime]") -> None:
        try:
            network = _network(recipe, self._cache)
            opened.set_result(open_runtime(network, self._run.device, recipe.precision, self._notify))
        except BaseException as error:  # noqa: BLE001 - whoever waits is told
            opened.set_exception(error)


def _together(results: Sequence[pipeline.Result]) -> pipeline.Result:
    """Return what several networks made of one photograph as one result."""
    first, *others = results
    failed = next((result for result in results if result.problem is not None), None)
    if not others or failed is not None or first.features is None:
        return failed or first
    features = [result.features for result in results if result.features is not None]
    return replace(first, features=joined_features(features))


def _looked_up(
    source: images.Given | sources.Files, cache: FeatureCache, imported: Recipe
) -> Iterator[Embedded]:
    """Yield the features of photographs whose vectors were imported; of any other there are none."""
    problem = (
        f"is none of the photographs whose vectors were imported from {imported.weights}, and nothing here can compute "
        "those of another"
    )
    for item in source.items():
        for _, content in source.read([item]):
            file = sources.address(item.name)
            if isinstance(content, str):
                yield Embedded(file, b"", None, content)
                continue
            row = cache.row_of_content(content.sha256)
            if row is None:
                yield Embedded(file, content.sha256, None, problem)
            else:
                yield Embedded(file, content.sha256, cache.rows([row]), cached=True)


def _embedded(result: pipeline.Result, cache: FeatureCache, views: int) -> Embedded:
    file = sources.address(result.item.name)
    if result.problem is not None or result.features is not None:
        return Embedded(file, result.sha256, result.features, result.problem)
    row = cache.row_of_content(result.sha256)
    assert row is not None  # it was known
    features: np.ndarray = cache.rows([row])
    augmented = cache.view_rows([row]) if views > 1 else None
    if augmented is not None:
        features = np.concatenate([features, augmented[0]])
    return Embedded(file, result.sha256, features, cached=True)
