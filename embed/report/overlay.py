"""A class-activation map over its photograph."""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from embed import files, images
from embed.errors import UsageError
from embed.explain import ClassMap, Explained
from embed.report.page import visible
from embed.sources import MARK, Address

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

FOR, AGAINST = (255, 92, 20), (40, 110, 255)  # colours of what speaks for the class and against it
OPACITY = 0.72  # of the strongest cell
COLOUR_LEFT = 0.2  # of the photograph's own under a map, so that the two are not confused
FAINT = 0.12  # share of the strongest cell below which nothing is painted
HEAT_PIXELS = 96  # side of the picture that a page stretches over its thumbnail

KINDS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}  # of pictures, by the end of a name
QUALITY = 90  # of a JPEG or WebP
PICTURE_PIXELS = 640  # longer side of the photograph in a picture of its own
GAP, MARGIN, CAPTION_PIXELS = 12, 16, 20
PAPER, INK, GREY = (255, 255, 255), (29, 31, 35), (104, 109, 118)


def heat_image(cells: np.ndarray, width: int, height: int, fit: str = "stretch") -> Image.Image:
    """Return a map as a transparent RGBA picture that lies on a photograph of that width and height.

    Parameters
    ----------
    cells : float ndarray of shape (h, w)
        Positive cells are painted warm, negative ones cold, zero is left clear.
    width, height : int
        In pixels.
    fit : {"stretch", "crop", "pad"}
        How the photograph became the square that the map divides.
    """
    strongest = float(np.abs(cells).max()) or 1.0
    scaled = Image.fromarray((cells / strongest).astype(np.float32))
    if fit == "crop":
        side = min(width, height)
        inner = np.asarray(scaled.resize((side, side), Image.Resampling.BICUBIC))
        value = np.zeros((height, width), np.float32)
        top, left = (height - side) // 2, (width - side) // 2
        value[top : top + side, left : left + side] = inner
    elif fit == "pad":
        side = max(width, height)
        left, top = (side - width) // 2, (side - height) // 2
        whole = np.asarray(scaled.resize((side, side), Image.Resampling.BICUBIC))
        value = whole[top : top + height, left : left + width]
    else:
        value = np.asarray(scaled.resize((width, height), Image.Resampling.BICUBIC))
    strength = np.clip((np.abs(value) - FAINT) / (1 - FAINT), 0, 1)
    painted = np.empty((height, width, 4), np.uint8)
    painted[..., :3] = np.where((value > 0)[..., None], FOR, AGAINST)
    painted[..., 3] = np.round(255 * OPACITY * strength)
    return Image.fromarray(painted, "RGBA")


def heat_png(cells: np.ndarray, width: int, height: int, fit: str = "stretch") -> bytes:
    """Return `heat_image` as a PNG in the shape of a photograph of that size, small, for a page to stretch over it."""
    scale = HEAT_PIXELS / max(width, height)
    small = heat_image(cells, max(1, round(width * scale)), max(1, round(height * scale)), fit)
    return _encoded(small)


def picture(
    file: Address, explained: ClassMap, fit: str = "stretch", caption: str = "", kind: str = "PNG"
) -> bytes:
    """Return a photograph beside itself with a map over it, and a caption below, as a PNG or another kind of picture.

    Raises
    ------
    ImageError
        The photograph cannot be read; the message is the reason.
    """
    pixels, _ = images.decode_file(file, images.Resize(PICTURE_PIXELS, images.INSIDE))
    photograph = Image.fromarray(pixels)
    width, height = photograph.size
    heat = heat_image(explained.cells, width, height, fit)
    pale = Image.blend(photograph.convert("L").convert("RGB"), photograph, COLOUR_LEFT)
    mapped = Image.alpha_composite(pale.convert("RGBA"), heat).convert("RGB")
    text_height = MARGIN + 2 * (CAPTION_PIXELS + 8)
    sheet = Image.new(
        "RGB", (2 * MARGIN + 2 * width + GAP, MARGIN + height + text_height + MARGIN // 2), PAPER
    )
    sheet.paste(photograph, (MARGIN, MARGIN))
    sheet.paste(mapped, (MARGIN + width + GAP, MARGIN))
    draw = ImageDraw.Draw(sheet)
    large, small = ImageFont.load_default(CAPTION_PIXELS), ImageFont.load_default(CAPTION_PIXELS - 5)
    y = 2 * MARGIN + height - 4
    draw.text((MARGIN, y), f"{visible(explained.label)}  {explained.probability:.1%}", INK, large)
    draw.text((MARGIN, y + CAPTION_PIXELS + 8), caption, GREY, small)
    _legend(draw, (sheet.width - MARGIN, y + CAPTION_PIXELS - 8), small)
    return _encoded(sheet, kind)


def write_pictures(
    explained: Iterable[Explained], destination: Path, fit: str, head: str
) -> Iterator[tuple[Explained, Path | None]]:
    """Write the picture of each photograph's first map; yield it with its file, None where there is nothing to draw.

    Parameters
    ----------
    explained : iterable of Explained
    destination : Path
        A folder, made where it is missing; or a file whose name ends as one of `KINDS`, for one photograph.
    fit : {"stretch", "crop", "pad"}
        How photographs became squares.
    head : str
        What the classifier is called.

    Raises
    ------
    UsageError
        There are several photographs and one file.
    InputError
        A picture cannot be written.
    """
    every = list(explained)
    kind = None if destination.is_dir() else KINDS.get(destination.suffix.lower())
    if kind is not None and len(every) > 1:
        raise UsageError(
            f"{destination} is one picture and there are {len(every)} photographs; name a folder"
        )
    written: set[Path] = set()
    for one in every:
        if not one.maps:
            yield one, None
            continue
        content = picture(one.file, one.maps[0], fit, f"{one.maps[0].method}, {head}", kind or "PNG")
        file = (
            destination
            if kind is not None
            else _free_name(destination, PurePosixPath(str(one.file)).stem, written)
        )
        written.add(file)
        files.write(file, content)
        yield one, file


def explained_pictures(
    explained: Iterable[Explained], fit: str, head: str
) -> Iterator[tuple[bytes | None, str]]:
    """Yield the picture of each photograph's first map with words about it; None where there is nothing to draw."""
    for one in explained:
        if one.maps:
            content = picture(one.file, one.maps[0], fit, f"{one.maps[0].method}, {head}")
            yield content, f"{PurePosixPath(str(one.file)).name}: {one.maps[0].label}"
        else:
            yield None, f"{one.file} {one.problem}"


def _free_name(folder: Path, stem: str, taken: set[Path]) -> Path:
    names = (f"{stem}{number}.explained.png" for number in ("", *(f"-{n}" for n in range(2, len(taken) + 3))))
    return next(folder / name for name in names if folder / name not in taken)


def _legend(draw: ImageDraw.ImageDraw, right_top: tuple[int, int], font: Font) -> None:
    x, y = right_top
    for words, colour in (("against it", AGAINST), ("for the class", FOR)):
        x -= int(font.getlength(words))
        draw.text((x, y - 4), words, GREY, font)
        x -= 20
        draw.rectangle((x, y - 1, x + 13, y + 12), colour)
        x -= 16


def _encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    # Marked, so that no extraction takes it for a photograph.
    mark: dict[str, Any] = {"comment": MARK.encode()} if kind == "JPEG" else {"xmp": MARK.encode()}
    if kind == "PNG":
        mark = {"pnginfo": PngInfo()}
        mark["pnginfo"].add_text("Software", "embed")
    image.save(stream, kind, optimize=True, quality=QUALITY, **mark)
    return stream.getvalue()
