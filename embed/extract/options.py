"""What to compute, and how to go about it."""

from dataclasses import dataclass, field
from numbers import Integral

from embed import images
from embed.backbones import POOLINGS, PRECISIONS, Network, ResolvedNetwork
from embed.cache import Recipe, check_name
from embed.errors import UsageError
from embed.machine import processors

DTYPES = ("float32", "float16")


@dataclass(frozen=True, kw_only=True)
class FeatureOptions:
    """What defines the numbers: all of it goes into the recipe of a feature set.

    Parameters
    ----------
    network : Network
    fit : {"stretch", "crop", "pad"}
        How a photograph becomes square.
    views : int
        Views of each photograph: the plain one and ``views - 1`` augmented.
    view_seed : int
    precision : {"float32", "bf16", "fp16"}
        Of the backbone's arithmetic.
    dtype : {"float32", "float16"}
        Of the stored features.

    Raises
    ------
    UsageError
        One of them has a value that cannot work.
    """

    network: Network = field(default_factory=lambda: Network("mobilenetv2"))
    fit: str = "stretch"
    views: int = 1
    view_seed: int = 0
    precision: str = "float32"
    dtype: str = "float32"

    def __post_init__(self) -> None:
        _check_known("pooling", self.network.pooling, POOLINGS)
        _check_known("fit", self.fit, images.FITS)
        _check_known("precision", self.precision, PRECISIONS)
        _check_known("dtype", self.dtype, DTYPES)
        _check_positive("views", self.views)

    def recipe(self, network: ResolvedNetwork) -> Recipe:
        """Return the recipe of these features on a network whose weights are known."""
        return Recipe(
            backbone=network.backbone.name,
            weights=network.weights,
            weights_sha256=network.weights_sha256,
            tuned_from=network.tuned_from,
            layer=network.layer,
            pooling=network.pooling,
            size=network.size,
            mirror=network.mirror,
            preprocess=network.backbone.preprocess,
            fit=self.fit,
            interpolation=images.INTERPOLATION,
            precision=PRECISIONS[self.precision],
            dtype=self.dtype,
            views=self.views,
            view_seed=self.view_seed if self.views > 1 else 0,
            decoder=images.DECODER_VERSION,
        )


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What changes only the time: the same features come out.

    Parameters
    ----------
    device : {"auto", "cpu", "gpu"}
    workers : int, optional
        Photographs decoded at once; by default one for each processor that this process may use.
    batch_size : int, optional
        Photographs in a forward pass; by default what suits the device.
    max_pixels : int
        Photographs with more are refused.
    rehash : bool
        Read every photograph again and compare contents.
    retry_failed : bool
        Try the photographs that failed before again.
    allow_removals : bool
        Let rows leave also where they are more than half of a set.
    verify : bool
        Read every byte of the set first, set damaged parts aside and compute their rows again.
    name : str, optional
        Name of the feature set, before the backbone; by default that of the data folder.
    move : bool
        The data folder is one that moved: it keeps the set of a folder that is gone and had most of its photographs.
    exif : bool
        Note when, where and with what the photographs were taken; once asked for, it is kept up to date.

    Raises
    ------
    UsageError
        One of them has a value that cannot work.
    """

    device: str = "auto"
    workers: int | None = None
    batch_size: int | None = None
    max_pixels: int = images.MAX_PIXELS
    rehash: bool = False
    retry_failed: bool = False
    allow_removals: bool = False
    verify: bool = False
    name: str | None = None
    move: bool = False
    exif: bool = False

    def __post_init__(self) -> None:
        if self.name is not None:
            check_name(self.name)
        for parameter in ("workers", "batch_size", "max_pixels"):
            _check_positive(parameter, getattr(self, parameter))

    @property
    def decoding_threads(self) -> int:
        """Photographs decoded at once."""
        return self.workers or processors()


def _check_known(parameter: str, value: str, known: "dict[str, str] | tuple[str, ...]") -> None:
    if value not in tuple(known):
        raise UsageError(f"{value!r} is not known; it is one of {', '.join(known)}", parameter)


def _check_positive(parameter: str, value: int | None) -> None:
    if value is not None and (not isinstance(value, Integral) or value < 1):
        raise UsageError(f"{value!r} cannot work; it is 1 or more", parameter)
