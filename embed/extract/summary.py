"""How far an extraction is, and what it did."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREPARING = "preparing the backbone, once on this machine"


@dataclass(slots=True)
class Progress:
    """How far an extraction is. ``total`` is None until the scan has seen every file."""

    stage: str = "scanning"  # scanning | PREPARING | extracting | finishing
    total: int | None = None
    extracted: int = 0
    reused: int = 0
    failed: int = 0
    unreachable: int = 0
    seconds: float = 0.0  # since the first photograph was handed to the decoder

    @property
    def preparing(self) -> bool:
        """Whether what comes now is told once, before anything else, and takes long."""
        return self.stage == PREPARING

    @property
    def done(self) -> int:
        """Files dealt with."""
        return self.extracted + self.reused + self.failed + self.unreachable

    @property
    def rate(self) -> float:
        """Photographs computed per second."""
        return self.extracted / self.seconds if self.seconds else 0.0


@dataclass(frozen=True)
class Summary:
    """What an extraction did."""

    features: str  # name of the feature set
    folder: Path
    backbone: str
    dimension: int
    images: int  # files found or known to be out of reach
    extracted: int
    reused: int
    removed: int
    failed: int
    seconds: float
    bottleneck: str | None  # decode | forward | disk; None where nothing was computed
    damaged: tuple[str, ...] = ()  # parts that were set aside, their rows computed again
    interrupted: bool = False
    unreachable: int = 0  # rows that stay though their photographs cannot be looked at
    unreachable_places: tuple[tuple[str, str], ...] = ()  # where, and why
    kept: int = 0  # rows whose photographs are gone, too many to remove them unasked

    @property
    def images_per_second(self) -> float:
        """Photographs computed per second of the whole extraction."""
        return self.extracted / self.seconds if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``embed extract --json`` prints."""
        return {
            "features": self.features,
            "backbone": self.backbone,
            "dimension": self.dimension,
            "images": self.images,
            "extracted": self.extracted,
            "reused": self.reused,
            "removed": self.removed,
            "failed": self.failed,
            "unreachable": self.unreachable,
            "kept": self.kept,
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.images_per_second, 1),
            "bottleneck": self.bottleneck,
            "damaged": list(self.damaged),
        }
