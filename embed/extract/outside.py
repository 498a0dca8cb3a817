"""Features of photographs outside a cache, by the recipe of that cache: what a query or a prediction needs."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

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
    file : Path
    sha256 : bytes
        Of the content; empty where it could not be read.
    features : ndarray of shape (views, d), float32, or None
        The first view is the plain photograph.
    problem : str, optional
    cached : bool
        Whether the features came from the cache, without a forward pass.
    """

    file: Path
    sha256: bytes
    features: np.ndarray | None
    problem: str | None = None
    cached: bool = False


class Networks:
    """Networks that stay ready from one question to the next; any thread may ask."""

    def __init__(self) -> None:
        self._opened: dict[tuple[str, str], Future[Runtime]] = {}
        self._lock = threading.Lock()

    def ready(self, recipe: Recipe, device: str, start: Callable[[], Future[Runtime]]) -> Future[Runtime]:
        """Return the network of a recipe on a device, which is started where it is not there, or could not be had before."""
        with self._lock:
            known = self._opened.get((recipe.hash, device))
            if known is None or (known.done() and known.exception() is not None):
                known = self._opened[recipe.hash, device] = start()
            return known


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
    files: Iterable[Path] | images.Given,
    cache: FeatureCache,
    run: RunOptions | None = None,
    *,
    views: bool = False,
    networks: Networks | None = None,
) -> Iterator[Embedded]:
    """Yield the features of each photograph, in order, computed as the rows of `cache` were.

    A file whose content is in the cache takes its features from there; the backbone is opened when another comes along.
    Where the features of the cache were imported, another photograph has none, and the reason is told.

    Parameters
    ----------
    files : iterable of Path, or Given
    cache : FeatureCache
        The feature set whose recipe is followed.
    run : RunOptions, optional
        Device and workers.
    views : bool
        All views of the recipe rather than the plain photograph alone.
    networks : Networks, optional
        Those that are ready, where many are asked about one after the other.

    Raises
    ------
    WeightsError, CacheError
        As `network_of`, where a photograph is not in the cache.
    """
    recipe, run = cache.recipe, run or RunOptions()
    parts = recipe.joined or (recipe,)
    if len(parts) > 1 and not isinstance(files, images.Given):
        files = list(files)  # each network looks at them
    source = files if isinstance(files, images.Given) else sources.Files(files)
    imported = next((part for part in parts if part.imported), None)
    if imported is not None:
        yield from _looked_up(source, cache, imported)
        return
    count = recipe.views if views else 1
    networks = networks or Networks()
    of_each = [_computed(source, part, cache, run, count, networks) for part in parts]
    for results in zip(*of_each, strict=True):
        yield _embedded(_together(results), cache, count)


def _computed(
    source: images.Given | sources.Files,
    recipe: Recipe,
    cache: FeatureCache,
    run: RunOptions,
    count: int,
    networks: Networks,
) -> Iterator[pipeline.Result]:
    """Yield what one network makes of each photograph that is not in the cache."""

    def open_network() -> Runtime:
        return open_runtime(_network(recipe, cache), device=run.device, precision=recipe.precision)

    def runtime() -> Future[Runtime]:
        return networks.ready(recipe, run.device, lambda: background.submit(open_network))

    def known(sha256: bytes) -> bool:
        if cache.row_of_content(sha256) is not None:
            return True
        runtime()  # made ready while the photograph is decoded
        return False

    groups = ([item] for item in source.items())
    with ThreadPoolExecutor(1, "open") as background, pipeline.open_decoder(recipe, run, count) as decoder:
        yield from pipeline.compute(
            source,
            groups,
            decoder,
            lambda: runtime().result(),
            skip=known,
            batch_size=run.batch_size,
        )


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
            file = Path(item.name)
            if isinstance(content, str):
                yield Embedded(file, b"", None, content)
                continue
            row = cache.row_of_content(content.sha256)
            if row is None:
                yield Embedded(file, content.sha256, None, problem)
            else:
                yield Embedded(file, content.sha256, cache.rows([row]), cached=True)


def _embedded(result: pipeline.Result, cache: FeatureCache, views: int) -> Embedded:
    file = Path(result.item.name)
    if result.problem is not None or result.features is not None:
        return Embedded(file, result.sha256, result.features, result.problem)
    row = cache.row_of_content(result.sha256)
    assert row is not None  # it was known
    features: np.ndarray = cache.rows([row])
    augmented = cache.view_rows([row]) if views > 1 else None
    if augmented is not None:
        features = np.concatenate([features, augmented[0]])
    return Embedded(file, result.sha256, features, cached=True)
