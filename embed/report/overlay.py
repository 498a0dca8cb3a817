"""A class-activation map over its photograph."""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from embed import files, images
from embed.errors import UsageError
from embed.explain import ClassMap, Explained

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

FOR, AGAINST = (255, 92, 20), (40, 110, 255)  # colours of what speaks for the class and against it
OPACITY = 0.72  # of the strongest cell
COLOUR_LEFT = 0.2  # of the photograph's own under a map, so that the two are not confused
FAINT = 0.12  # share of the strongest cell below which nothing is painted
HEAT_PIXELS = 96  # side of the picture that a page stretches over its thumbnail

PICTURE_PIXELS = 640  # longer side of the photograph in a picture of its own
GAP, MARGIN, CAPTION_PIXELS = 12, 16, 20
PAPER, INK, GREY = (255, 255, 255), (29, 31, 35), (104, 109, 118)


def heat_image(cells: np.ndarray, width: int, height: int, fit: str = "stretch") -> Image.Image:
    """Return a map as a transparent RGBA picture that lies on a photograph of that width and height.

    Args:
        cells: shape (h, w); positive cells are painted warm, negative ones cold, zero is left clear.
        fit: how the photograph became the square that the map divides.
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
    return _png(small)


def picture(file: Path, found: ClassMap, fit: str = "stretch", caption: str = "") -> bytes:
    """Return a PNG of a photograph beside itself with the map over it, and a caption below.

    Raises ImageError with the reason when the photograph cannot be read.
    """
    pixels, _ = images.decode_file(file, images.Resize(PICTURE_PIXELS, images.INSIDE))
    photograph = Image.fromarray(pixels)
    width, height = photograph.size
    heat = heat_image(found.cells, width, height, fit)
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
    draw.text((MARGIN, y), f"{found.label}  {found.probability:.1%}", INK, large)
    draw.text((MARGIN, y + CAPTION_PIXELS + 8), caption, GREY, small)
    _legend(draw, (sheet.width - MARGIN, y + CAPTION_PIXELS - 8), small)
    return _png(sheet)


def write_pictures(
    explained: Iterable[Explained], destination: Path, fit: str, head: str
) -> Iterator[tuple[Explained, Path | None]]:
    """Write the picture of each photograph's first map; yield it with its file, None where there is nothing to draw.

    Args:
        explained: from `embed.explain.Explainer`.
        destination: a folder, made where it is missing; or a .png file, for one photograph.
        fit: how photographs became squares.
        head: what the classifier is called.

    Raises:
        UsageError: several photographs and one file.
        InputError: a picture cannot be written.
    """
    found = list(explained)
    single = destination.suffix.lower() == ".png" and not destination.is_dir()
    if single and len(found) > 1:
        raise UsageError(
            f"{destination} is one picture and there are {len(found)} photographs; name a folder"
        )
    written: set[Path] = set()
    for one in found:
        if not one.maps:
            yield one, None
            continue
        content = picture(one.file, one.maps[0], fit, f"{one.maps[0].method}, {head}")
        file = destination if single else _free_name(destination, one.file.stem, written)
        written.add(file)
        files.write(file, content)
        yield one, file


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


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()
