"""`ImageFeatures`: photographs in, features out, as a transformer of scikit-learn."""

import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin

from embed import sources
from embed.backbones import Network, ResolvedNetwork, Runtime, home, open_runtime
from embed.cache import FeatureCache, FeatureWriter, Recipe, list_features
from embed.errors import CacheLockedError, ImageError, InputError
from embed.extract import FeatureOptions, RunOptions, pipeline

CONTENT_FOLDER = "by-content"  # in the cache: features of photographs that belong to no data folder


class ImageFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Compute features of photographs with a frozen backbone.

    Features are kept by the content of a photograph (the bytes of its file, or its pixels), so that each is computed
    once, in a grid search and in the next process too. Those that were extracted into `cache` are used as well.

    Parameters
    ----------
    backbone : str
        Name of the network, one of ``embed.BACKBONES``.
    weights : path, optional
        Keras weights file to use instead of ImageNet's.
    layer : str, optional
        Layer whose output is taken; by default the last before the classes.
    pooling : {"avg", "max", "grid", "flatten"}
        What becomes of the last feature map.
    size : int, optional
        Side of the input in pixels; by default the backbone's.
    mirror : bool
        Average the features with those of the mirror image.
    resize : {"stretch", "crop", "pad"}
        How a photograph becomes square.
    precision : {"float32", "bf16", "fp16"}
        Arithmetic of the backbone.
    device : {"auto", "cpu", "gpu"}
    cache : path, optional
        Folder of feature sets; by default one of the user's own (``EMBED_HOME`` moves it).

    Attributes
    ----------
    n_features_out_ : int
        Features of a photograph.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> train = embed.open("cache").select(split="train")
    >>> model = make_pipeline(embed.ImageFeatures("tiny", cache="cache"), LogisticRegression(max_iter=1000))
    >>> model.fit(train.files, train.y).predict(["pictures/test/fish/fish-000.jpg"]).shape
    (1,)
    >>> embed.ImageFeatures("tiny", cache="cache").transform(np.zeros((2, 64, 64, 3), np.uint8)).shape
    (2, 512)
    """

    def __init__(
        self,
        backbone: str = "mobilenetv2",
        *,
        weights: str | Path | None = None,
        layer: str | None = None,
        pooling: str = "avg",
        size: int | None = None,
        mirror: bool = False,
        resize: str = "stretch",
        precision: str = "float32",
        device: str = "auto",
        cache: str | Path | None = None,
    ) -> None:
        self.backbone = backbone
        self.weights = weights
        self.layer = layer
        self.pooling = pooling
        self.size = size
        self.mirror = mirror
        self.resize = resize
        self.precision = precision
        self.device = device
        self.cache = cache

    def fit(self, X: Any, y: Any = None) -> "ImageFeatures":
        """Check the parameters and get the backbone ready; there is nothing to learn.

        Parameters
        ----------
        X : photographs, as for `transform`; they are not looked at
        y : ignored

        Raises
        ------
        UsageError
            A parameter has a value that cannot work.
        WeightsError
            The weights of the backbone cannot be had.
        """
        network, recipe = self._resolve()
        self.n_features_out_ = self._runtime(network, recipe).dimension
        return self

    def transform(self, X: Any) -> NDArray[np.float32]:
        """Return the features, float32 ndarray of shape (n, d).

        Parameters
        ----------
        X : sequence of n paths, or of n uint8 arrays of shape (h, w, 3) or (h, w)

        Raises
        ------
        InputError
            What was given is neither paths nor pixels.
        ImageError
            A file cannot be decoded; the message names it.
        """
        network, recipe = self._resolve()
        known = _Known(self._folder, recipe)
        photographs = _listed(X)
        paths = all(isinstance(one, (str, os.PathLike)) for one in photographs)
        source = sources.Files(map(Path, photographs)) if paths else _Arrays(photographs)
        groups = ([item] for item in source.items())
        rows: list[NDArray[np.float32]] = []
        new: dict[bytes, NDArray[np.float32]] = {}
        with pipeline.open_decoder(recipe, RunOptions()) as decoder:
            for result in pipeline.compute(
                source, groups, decoder, lambda: self._runtime(network, recipe), skip=known.__contains__
            ):
                if result.problem is not None:
                    raise ImageError(f"{result.item.name} {result.problem}")
                if result.features is None:
                    rows.append(known[result.sha256])
                else:
                    rows.append(result.features[0])
                    new[result.sha256] = result.features[0]
        if new:
            self._keep(new, recipe)
        dimension = len(rows[0]) if rows else self._runtime(network, recipe).dimension
        return np.array(rows, np.float32).reshape(len(rows), dimension)

    @property
    def _n_features_out(self) -> int:
        return self.n_features_out_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        return tags

    @property
    def _folder(self) -> Path:
        return home() / "features" if self.cache is None else Path(self.cache)

    def _resolve(self) -> tuple[ResolvedNetwork, Recipe]:
        weights = None if self.weights is None else Path(self.weights)
        network = Network(
            self.backbone,
            weights=weights,
            layer=self.layer,
            pooling=self.pooling,
            size=self.size,
            mirror=self.mirror,
        )
        options = FeatureOptions(network=network, fit=self.resize, precision=self.precision)
        resolved = network.resolve()
        return resolved, options.recipe(resolved)

    def _runtime(self, network: ResolvedNetwork, recipe: Recipe) -> Runtime:
        return _runtime(network, self.device, recipe.precision)

    def _keep(self, new: dict[bytes, NDArray[np.float32]], recipe: Recipe) -> None:
        """Store features. Where another process is storing just now they are left out: they can be computed again."""
        folder = self._folder / CONTENT_FOLDER
        dimension = len(next(iter(new.values())))
        try:
            writer = FeatureWriter.open(folder, "content", folder, recipe, dimension)
        except CacheLockedError:
            return
        with writer:
            for digest, features in new.items():
                writer.put(digest.hex(), digest, 0, 0, features)
            writer.commit()


@lru_cache(maxsize=1)
def _runtime(network: ResolvedNetwork, device: str, precision: str) -> Runtime:
    """Return a runtime; kept, because a grid search clones the transformer again and again."""
    return open_runtime(network, device, precision)


class _Known:
    """The features that a cache holds for a recipe, by the sha256 of the content."""

    def __init__(self, cache: Path, recipe: Recipe) -> None:
        self._row_of: dict[bytes, tuple[FeatureCache, int]] = {}
        for feature_set in [*list_features(cache), *list_features(cache / CONTENT_FOLDER)]:
            if feature_set.meta.recipe.hash == recipe.hash:
                features = FeatureCache.open(feature_set)
                rows = enumerate(features.sha256)
                self._row_of.update((digest.tobytes(), (features, row)) for row, digest in rows)

    def __contains__(self, sha256: object) -> bool:
        return sha256 in self._row_of

    def __getitem__(self, sha256: bytes) -> NDArray[np.float32]:
        features, row = self._row_of[sha256]
        return features.rows([row])[0]


def _listed(X: Any) -> Sequence[Any]:
    """Return the photographs one by one; a column of paths is taken for the paths in it."""
    if isinstance(X, (str, bytes, os.PathLike)):
        raise InputError(f"expected a sequence of photographs, got one: {X!r}; put it in a list")
    values = X if isinstance(X, (list, tuple)) else _as_array(X)
    if isinstance(values, np.ndarray) and values.dtype.kind in "OU" and values.ndim == 2:
        values = values.reshape(-1) if values.shape[1] == 1 else values
    return list(values) if np.ndim(values) else [values]


def _as_array(given: Any) -> NDArray[Any]:
    try:
        return np.asarray(given)
    except (TypeError, ValueError) as error:
        raise InputError(f"expected paths or pixels, got {type(given).__name__}: {error}") from None


class _Arrays:
    """Arrays of pixels as a source: each becomes a lossless file, so that photographs are decoded in one way."""

    name = "arrays"
    root = Path()
    again = ""
    places: tuple[str, ...] = ()

    def __init__(self, arrays: Sequence[Any]) -> None:
        self._arrays = arrays

    def find(self) -> Iterator[sources.Told]:
        """Yield every array."""
        yield from self.items()
        yield sources.Listed("")

    def items(self) -> Iterator[sources.Item]:
        """Yield every array, named by its position. Raises InputError for what is none of pixels."""
        for number, array in enumerate(self._arrays):
            pixels = _as_array(array)
            if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3) or not pixels.size:
                raise InputError(
                    f"photograph {number} is no path and no uint8 array of shape (h, w, 3):"
                    f" it is {type(array).__name__} of dtype {pixels.dtype} and shape {pixels.shape}"
                )
            yield sources.Item(f"photograph {number}", pixels.nbytes)

    def read(self, group: Sequence[sources.Item]) -> Iterator[sources.Read]:
        """Yield each array as the content of a file, identified by its pixels."""
        for item in group:
            pixels = np.asarray(self._arrays[int(item.name.split()[1])])
            digest = hashlib.sha256(f"pixels {pixels.shape}".encode())
            digest.update(np.ascontiguousarray(pixels).data)
            stream = io.BytesIO()
            try:
                Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
            except (TypeError, ValueError, OSError) as error:
                yield item, f"cannot be read as a picture, shape {pixels.shape}: {error}"
                continue
            yield item, sources.Content(stream.getvalue(), digest.digest())

    def local_path(self, name: str) -> None:
        """Return None: no file holds an array."""
