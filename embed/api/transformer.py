"""`ImageFeatures`: photographs in, features out, as a transformer of scikit-learn."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin

from embed import images
from embed.arguments import check
from embed.backbones import Network, ResolvedNetwork, Runtime, home, open_runtime
from embed.cache import FeatureCache, FeatureWriter, Recipe, list_features
from embed.errors import CacheLockedError, ImageError
from embed.extract import FeatureOptions, RunOptions, pipeline

CONTENT_FOLDER = "by-content"  # in the cache: features of photographs that belong to no data folder


class ImageFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Compute features of photographs with a frozen backbone.

    Features are kept by the content of a photograph (the bytes of its file, or its pixels), so that each is computed
    once, in a grid search and in the next process too. Those that were extracted into `cache` are used as well.

    Parameters
    ----------
    backbone : str
        Name of the network, one of ``embed.BACKBONES``, or a file with one of your own (``.onnx``).
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
    preprocess : str, optional
        What becomes of the pixels before a network in a file, where that cannot be read off it.
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
        preprocess: str | None = None,
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
        self.preprocess = preprocess
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
        X : one photograph or n of them
            In a list, a tuple, a column of pandas or an array. A photograph is a path, the bytes of a file, an open file,
            an image of Pillow, or a uint8 array of shape (h, w) or (h, w, 1|3|4); however it comes, it has the
            features of its file.

        Raises
        ------
        InputError
            Something is no photograph; the message says which.
        ImageError
            A photograph cannot be decoded; the message names it.
        """
        network, recipe = self._resolve()
        known = _Known(self._folder, recipe)
        source = images.Given(X)
        groups = ([item] for item in source.items())
        rows: list[NDArray[np.float32]] = []
        new: dict[bytes, tuple[str, NDArray[np.float32]]] = {}
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
                    new[result.sha256] = (result.decoder, result.features[0])
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
        check(ImageFeatures, self.get_params())
        weights = None if self.weights is None else Path(self.weights)
        network = Network(
            self.backbone,
            weights=weights,
            layer=self.layer,
            pooling=self.pooling,
            size=self.size,
            mirror=self.mirror,
            preprocess=self.preprocess,
        )
        options = FeatureOptions(network=network, fit=self.resize, precision=self.precision)
        resolved = network.resolve()
        return resolved, options.recipe(resolved)

    def _runtime(self, network: ResolvedNetwork, recipe: Recipe) -> Runtime:
        return _runtime(network, self.device, recipe.precision)

    def _keep(self, new: dict[bytes, tuple[str, NDArray[np.float32]]], recipe: Recipe) -> None:
        """Store features. Where another process is storing just now they are left out: they can be computed again."""
        folder = self._folder / CONTENT_FOLDER
        dimension = len(next(iter(new.values()))[1])
        try:
            writer = FeatureWriter.open(folder, "content", folder, recipe, dimension)
        except CacheLockedError:
            return
        with writer:
            for digest, (decoder, features) in new.items():
                writer.put(digest.hex(), digest, 0, 0, features, decoder=decoder)
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
                for row in np.flatnonzero(images.are_current(features.decoders)):
                    self._row_of[features.sha256[row].tobytes()] = (features, int(row))

    def __contains__(self, sha256: object) -> bool:
        return sha256 in self._row_of

    def __getitem__(self, sha256: bytes) -> NDArray[np.float32]:
        features, row = self._row_of[sha256]
        return features.rows([row])[0]
