"""What to compute, and how to go about it."""

import os
from dataclasses import dataclass, field

from embed import images
from embed.backbones import POOLINGS, Network, ResolvedNetwork
from embed.cache import Recipe
from embed.errors import UsageError

PRECISIONS = {
    "float32": "float32",
    "bf16": "bfloat16",
    "bfloat16": "bfloat16",
    "fp16": "float16",
    "float16": "float16",
}
DTYPES = ("float32", "float16")


@dataclass(frozen=True, kw_only=True)
class FeatureOptions:
    """What defines the numbers: all of it goes into the recipe of a feature set."""

    network: Network = field(default_factory=lambda: Network("mobilenetv2"))
    fit: str = "stretch"  # how a photograph becomes square
    views: int = 1
    view_seed: int = 0
    precision: str = "float32"  # of the backbone's arithmetic
    dtype: str = "float32"  # of the stored features

    def __post_init__(self) -> None:
        if self.network.pooling not in POOLINGS:
            raise UsageError(
                f"--pooling {self.network.pooling!r} is not known; it is one of {', '.join(POOLINGS)}."
            )
        if self.fit not in images.FITS:
            raise UsageError(f"--fit {self.fit!r} is not known; it is one of {', '.join(images.FITS)}.")
        if self.precision not in PRECISIONS:
            raise UsageError(f"--precision {self.precision!r} is not known; it is float32, bf16 or fp16.")
        if self.dtype not in DTYPES:
            raise UsageError(f"--dtype {self.dtype!r} is not known; it is float32 or float16.")
        if self.views < 1:
            raise UsageError(f"--views {self.views} makes no features; it is 1 or more.")

    def recipe(self, network: ResolvedNetwork) -> Recipe:
        """Return the recipe of these features on a network whose weights are known."""
        return Recipe(
            backbone=network.backbone.name,
            weights=network.weights,
            weights_sha256=network.weights_sha256,
            layer=network.layer,
            pooling=network.pooling,
            size=network.size,
            mirror=network.mirror,
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
    """What changes only the time: the same features come out."""

    device: str = "auto"
    workers: int | None = None  # decoding threads
    batch_size: int | None = None  # photographs in a forward pass; by default what suits the device
    max_pixels: int = images.MAX_PIXELS
    rehash: bool = False  # read every file again and compare contents
    retry_failed: bool = False
    allow_removals: bool = False  # of more than half of a set at once

    @property
    def decoding_threads(self) -> int:
        """Threads that decode: as asked for, else one for each processor this process may use."""
        return self.workers or len(os.sched_getaffinity(0))
