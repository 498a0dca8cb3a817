"""One valid file of every kind, made on the spot, and ways to damage it."""

import io
import random
import struct
import zlib
from functools import cache

import numpy as np
from PIL import Image

from embed.images import Decoder, Resize

WIDTH, HEIGHT = 96, 72


def decode(data: bytes, size: int = 32, fit: str = "stretch", **options) -> np.ndarray:
    """Return the pixels of a photograph as an extraction would make them, uint8 ndarray of shape (size, size, 3)."""
    with Decoder(Resize(size, fit), workers=1, **options) as decoder:
        return decoder.decode(data)


@cache
def picture(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """Return a smooth colourful picture without symmetry: every corner, edge and channel differs."""
    y, x = np.mgrid[0:height, 0:width] / max(width, height)
    waves = [
        0.5 + 0.45 * np.sin(6 * x + 2 * y),
        0.5 + 0.45 * np.cos(5 * y - x + 1),
        0.2 + 0.7 * x * (1 - y / 2),
    ]
    return Image.fromarray(np.rint(255 * np.stack(waves, -1).clip(0, 1)).astype(np.uint8))


def encoded(image: Image.Image, form: str, **options) -> bytes:
    """Return an image in the format that Pillow calls `form`."""
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def heif(image: Image.Image) -> bytes:
    """Return an image as HEIF; skips the test where pillow-heif is missing."""
    import pytest

    pillow_heif = pytest.importorskip("pillow_heif")
    stream = io.BytesIO()
    pillow_heif.from_pillow(image).save(stream, quality=95)
    return stream.getvalue()


def png(raw: bytes, width: int, height: int, depth: int, colour: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """Return a PNG with any bit depth and colour type, which Pillow cannot write; `raw` has no filter bytes."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    stride = (width * channels * depth + 7) // 8
    lines = b"".join(b"\0" + raw[i * stride : (i + 1) * stride] for i in range(height))
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = ((b"IHDR", header), *chunks, (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def chunk(kind: bytes, body: bytes) -> bytes:
    """Return one chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@cache
def samples() -> dict[str, bytes]:
    """Return a valid file of every format that Pillow alone reads and writes: name → bytes."""
    image = picture()
    return {
        "baseline.jpg": encoded(image, "JPEG", quality=90),
        "progressive.jpg": encoded(image, "JPEG", progressive=True),
        "grey.jpg": encoded(image.convert("L"), "JPEG"),
        "cmyk.jpg": encoded(image.convert("CMYK"), "JPEG"),
        "restarts.jpg": encoded(image, "JPEG", restart_marker_blocks=4),
        "rgb.png": encoded(image, "PNG"),
        "palette.png": encoded(image.quantize(32), "PNG"),
        "deep.png": encoded(image.convert("L").convert("I;16"), "PNG"),
        "still.gif": encoded(image, "GIF"),
        "moving.gif": encoded(image, "GIF", save_all=True, append_images=[image.rotate(90)]),
        "lossy.webp": encoded(image, "WEBP", quality=90),
        "lossless.webp": encoded(image, "WEBP", lossless=True),
        "moving.webp": encoded(image, "WEBP", save_all=True, append_images=[image.rotate(90)]),
        "raw.tif": encoded(image, "TIFF"),
        "lzw.tif": encoded(image, "TIFF", compression="tiff_lzw"),
        "deflate.tif": encoded(image, "TIFF", compression="tiff_adobe_deflate"),
        "jpeg.tif": encoded(image, "TIFF", compression="jpeg"),
        "rgb.bmp": encoded(image, "BMP"),
        "rgb.ppm": encoded(image, "PPM"),
        "rgb.jp2": encoded(image, "JPEG2000"),
        "rgb.avif": encoded(image, "AVIF"),
    }


def mutated(data: bytes, chance: random.Random) -> bytes:
    """Return a file cut, with bits flipped, bytes overwritten, or a piece taken out, doubled or put elsewhere."""
    damaged = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        if not damaged:
            break
        here = chance.randrange(len(damaged))
        length = min(chance.choice((1, 2, 16, 200)), len(damaged))
        match chance.randrange(6):
            case 0:
                del damaged[here:]
            case 1:
                damaged[here] ^= 1 << chance.randrange(8)
            case 2:
                damaged[here : here + length] = chance.randbytes(length)
            case 3:
                del damaged[here : here + length]
            case 4:
                damaged[here:here] = damaged[here : here + length]
            case 5:
                there = chance.randrange(len(damaged))
                damaged[here : here + length] = damaged[there : there + length]
    return bytes(damaged)
