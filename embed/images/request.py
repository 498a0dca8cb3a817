"""What is asked of the sandbox: all that its two sides share."""

from dataclasses import dataclass

from embed.errors import ImageError, UsageError

MAX_PIXELS = 200_000_000  # what the largest sensors of telephones record; a bomb claims more

FITS = ("stretch", "crop", "pad")
INSIDE = "inside"  # for pages: the photograph keeps its shape and is not made larger

# Antialiased. On both sets of photographs that this was measured on, bicubic and Lanczos lead to the same accuracy
# within its error, and take 1.7 and 2.5 times as long; so do stretching and cropping, while padding is worse on one.
# benchmarks/decoding.py has the figures.
INTERPOLATION = "bilinear"


class CircumstanceError(ImageError):
    "The photograph may be in order; this machine, or a limit that was set, keeps it from being decoded."


@dataclass(frozen=True, slots=True)
class Resize:
    """How a photograph becomes a square.

    Parameters
    ----------
    size : int
        Width and height of the square, in pixels.
    fit : {"stretch", "crop", "pad"}
        "stretch" ignores the aspect ratio, "crop" keeps the middle square, "pad" keeps everything, on white.

    Raises
    ------
    UsageError
        There is no such size or fit.
    """

    size: int
    fit: str = "stretch"

    def __post_init__(self) -> None:
        if self.size < 1:
            raise UsageError(f"must be at least 1 pixel, not {self.size}", "size")
        if self.fit not in (*FITS, INSIDE):
            raise UsageError(f"{self.fit!r} is not known; it is one of {', '.join(FITS)}", "fit")
