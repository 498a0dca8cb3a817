"""How far an extraction is, and what it did."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from embed.cache import Failure, Moved
from embed.sources import Filters, Item

PREPARING = "preparing the backbone, once on this machine"


@dataclass(slots=True)
class Progress:
    """How far an extraction is. ``total`` is None until every photograph has been found."""

    stage: str = "scanning"  # scanning | PREPARING | extracting | finishing
    total: int | None = None
    extracted: int = 0
    reused: int = 0
    copied: int = 0  # of those that are reused, from another feature set
    failed: int = 0
    unreachable: int = 0
    left_out: int = 0  # once they had been read
    seconds: float = 0.0  # since the first photograph was handed to the decoder

    @property
    def preparing(self) -> bool:
        """Whether what comes now is told once, before anything else, and takes long."""
        return self.stage == PREPARING

    @property
    def done(self) -> int:
        """Photographs dealt with."""
        return self.extracted + self.reused + self.failed + self.unreachable + self.left_out

    @property
    def rate(self) -> float:
        """Photographs computed per second."""
        return self.extracted / self.seconds if self.seconds else 0.0


@dataclass
class Outcome:
    """What has become of the photographs so far; whoever decides about one writes it down here.

    Parameters
    ----------
    report : callable
        Told how far the extraction is.
    """

    report: Callable[[Progress], None]
    progress: Progress = field(default_factory=Progress)
    failures: list[Failure] = field(default_factory=list)
    unreachable: list[tuple[str, str]] = field(default_factory=list)  # places, each with the reason
    left_out: list[tuple[str, str, int]] = field(
        default_factory=list
    )  # places, with the reason and the images there
    _started: float | None = None

    def start(self) -> None:
        """Note that there is something to compute."""
        if self._started is None:
            self._started = time.perf_counter()
            self.progress.stage = "extracting"

    def tick(self) -> None:
        """Report how far the extraction is."""
        if self._started is not None:
            self.progress.seconds = time.perf_counter() - self._started
        self.report(self.progress)

    def fail(self, name: str, reason: str, judged: Item | None = None) -> None:
        """Note a photograph or a place that cannot be used; it is tried again unless the content of `judged` was at fault."""
        size, stamp = (None, None) if judged is None else (judged.size, judged.stamp)
        self.failures.append(Failure(name, reason, size, stamp))
        self.progress.failed += 1

    def leave_out(self, name: str, reason: str) -> None:
        """Note a picture that turned out to be no photograph when it was read."""
        self.left_out.append((name, reason, 1))
        self.progress.left_out += 1

    def keep(self, place: str, reason: str, rows: int = 1) -> None:
        """Note that rows stay whose photographs cannot be looked at."""
        self.unreachable.append((place, reason))
        self.progress.unreachable += rows


@dataclass(frozen=True)
class Summary:
    """What an extraction did.

    Attributes
    ----------
    features : str
        Name of the feature set.
    folder : Path
        Where it is.
    backbone : str
    dimension : int
    images : int
        Photographs found, and known ones that could not be looked for.
    extracted, reused, failed, unreachable : int
        What became of them: computed; taken from the cache; without a row (``failures.csv`` tells why); with a row that
        stays, though the photograph could not be looked at.
    copied : int
        Of those that are reused: taken from another feature set.
    removed : int
        Rows that left because their photographs are gone.
    kept : int
        Rows that stay although their photographs are gone, or cannot be decoded any more: so many are removed only on
        request.
    seconds : float
    bottleneck : {"decode", "forward", "disk"} or None
        What the rest waited for; None where nothing was computed.
    damaged : tuple of str
        What was damaged and is mended, each with a sentence.
    interrupted : bool
    unreachable_places : tuple of (str, str)
        Where photographs could not be looked at, and why.
    moved_from : str or None
        Where the data folder was before, if it is one that moved.
    likely : Moved or None
        A feature set whose data folder is gone, and which may be this one; ``move=True`` makes it so.
    left_out : tuple of (str, str, int)
        Places that are not taken for photographs, why, and how many files with the name of an image lie there.
    filters : Filters
        What the user leaves out and takes in, now or when the folder was extracted before.
    bfloat16 : bool
        Whether the backbone was what the rest waited for, in float32, on a processor that computes it in bfloat16 as well, faster.
    """

    features: str
    folder: Path
    backbone: str
    dimension: int
    images: int
    extracted: int
    reused: int
    removed: int
    failed: int
    seconds: float
    bottleneck: str | None
    damaged: tuple[str, ...] = ()
    interrupted: bool = False
    unreachable: int = 0
    unreachable_places: tuple[tuple[str, str], ...] = ()
    kept: int = 0
    copied: int = 0
    moved_from: str | None = None
    likely: Moved | None = None
    left_out: tuple[tuple[str, str, int], ...] = ()
    filters: Filters = field(default_factory=Filters)
    bfloat16: bool = False

    @property
    def images_left_out(self) -> int:
        """Files with the name of an image in what was left out, as far as they were counted."""
        return sum(images for _, _, images in self.left_out)

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
            "copied": self.copied,
            "removed": self.removed,
            "failed": self.failed,
            "unreachable": self.unreachable,
            "kept": self.kept,
            "left_out": self.images_left_out,
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.images_per_second, 1),
            "bottleneck": self.bottleneck,
            "damaged": list(self.damaged),
            "moved_from": self.moved_from,
            "likely": self.likely and asdict(self.likely),
        }
