"""More than 8 bits a channel: whatever holds them, the picture is the one of 8 bits."""

import io
import struct

import numpy as np
import pytest
import tifffile
from image_samples import decode, encoded, picture, png
from PIL import Image

from embed.errors import ImageError
from embed.images import deep

SIZE = 72
COLOUR = np.asarray(picture().resize((SIZE, SIZE)))
GREY = np.asarray(picture().resize((SIZE, SIZE)).convert("L"))
FULL = {"u1": 255, "i1": 127, "u2": 65535, "i2": 32767, "u4": 2**32 - 1}


def values(pixels: np.ndarray, dtype: str, bits: int | None = None) -> np.ndarray:
    """Pixels as numbers of another type, as a camera of so many bits has them."""
    if dtype.startswith("f"):
        return (pixels / 255).astype(dtype)
    return np.rint(pixels / 255 * (FULL[dtype] if bits is None else 2**bits - 1)).astype(dtype)


def tiff(pixels: np.ndarray, **options) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **options)
    return stream.getvalue()


def assert_shows(data: bytes, pixels: np.ndarray) -> None:
    expected = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, -1)
    assert np.abs(decode(data, size=SIZE).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("tile", [None, (32, 32)])
def test_every_layout_of_a_tiff_shows_the_picture(order, compression, tile):
    options = {"byteorder": order, "compression": compression, "tile": tile}
    for dtype, bits in (("u1", None), ("u2", None), ("u2", 12), ("u2", 10), ("i2", 12), ("i2", None), ("i1", None), ("u4", 12), ("f4", None), ("f2", None), ("f8", None)):  # fmt: skip
        grey, colour = values(GREY, dtype, bits), values(COLOUR, dtype, bits)
        white = values(np.array(255), dtype, bits)
        opaque = np.dstack([colour, np.full(GREY.shape, white, dtype)])
        assert_shows(tiff(grey, photometric="minisblack", **options), GREY)
        assert_shows(tiff(white - grey, photometric="miniswhite", **options), GREY)
        assert_shows(tiff(colour, photometric="rgb", **options), COLOUR)
        assert_shows(tiff(opaque, photometric="rgb", extrasamples=["unassalpha"], **options), COLOUR)
        planes = np.ascontiguousarray(np.moveaxis(colour, -1, 0))
        assert_shows(tiff(planes, photometric="rgb", planarconfig="separate", **options), COLOUR)


def test_values_of_32_bits_without_a_sign_are_no_negative_ones():
    ramp = np.linspace(0, 2**32 - 1, SIZE * SIZE).astype("u4").reshape(SIZE, SIZE)
    for order in "<>":
        shown = decode(tiff(ramp, photometric="minisblack", byteorder=order), size=SIZE)
        assert shown[0, 0].tolist() == [0] * 3 and shown[-1, -1].tolist() == [255] * 3
        assert (np.diff(shown[:, 0, 0].astype(int)) >= 0).all()


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_bigtiff_shows_the_picture_in_either_order_of_bytes(order):
    assert_shows(tiff(COLOUR, photometric="rgb", bigtiff=True, byteorder=order), COLOUR)


def test_a_stack_of_channels_is_not_called_damaged():
    with pytest.raises(ImageError, match="is a TIFF of a kind that cannot be decoded"):
        decode(tiff(np.stack([GREY] * 7), photometric="minisblack", planarconfig="separate"))


@pytest.mark.parametrize("order", ["<", ">"])
def test_transparency_of_deep_tiffs_becomes_white(order):
    half = np.full(GREY.shape, 65535, "u2")
    half[:, : SIZE // 2] = 0
    expected = np.where(half[..., None] > 0, COLOUR, 255)
    for data in (COLOUR, GREY[..., None]):
        pixels = np.dstack([values(data, "u2"), half])
        kind = "rgb" if data is COLOUR else "minisblack"
        shown = decode(
            tiff(
                pixels, photometric=kind, planarconfig="contig", extrasamples=["unassalpha"], byteorder=order
            ),
            size=SIZE,
        )
        assert (shown[:, : SIZE // 2] == 255).all()
    assert np.abs(decode(tiff(np.dstack([values(COLOUR, "u2"), half]), photometric="rgb", extrasamples=["unassalpha"]), size=SIZE).astype(int) - expected).max() <= 1  # fmt: skip


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_fewer_bits_in_a_png_of_16_are_no_darker(bits):
    colour, grey = values(COLOUR, "u2", bits).astype(">u2"), values(GREY, "u2", bits).astype(">u2")
    white = np.full(GREY.shape, 2**bits - 1, ">u2")
    assert_shows(png(grey.tobytes(), SIZE, SIZE, 16, 0), GREY)
    assert_shows(png(colour.tobytes(), SIZE, SIZE, 16, 2), COLOUR)
    assert_shows(png(np.dstack([grey, white]).astype(">u2").tobytes(), SIZE, SIZE, 16, 4), GREY)
    assert_shows(png(np.dstack([colour, white]).astype(">u2").tobytes(), SIZE, SIZE, 16, 6), COLOUR)


def test_the_highest_value_that_a_tiff_names_is_white():
    dark = values(GREY // 8, "u2", 12)  # 512 at the most: alone, it would be taken for 10 bits
    told = [(281, 3, 1, 4095, True)]
    assert_shows(tiff(dark, photometric="minisblack", extratags=told), GREY // 8)
    colours = values(COLOUR // 8, "u2", 12)
    of_each = [(341, 3, 3, (4095, 4095, 4095), True)]
    assert_shows(tiff(colours, photometric="rgb", extratags=of_each), COLOUR // 8)


def test_a_pgm_and_a_jpeg_2000_tell_their_range():
    dark = (GREY // 16).astype(np.uint16) * 257
    assert_shows(b"P5 72 72 65535\n" + dark.astype(">u2").tobytes(), GREY // 16)
    assert_shows(b"P5 72 72 4095\n" + values(GREY, "u2", 12).astype(">u2").tobytes(), GREY)
    assert_shows(encoded(Image.fromarray(dark), "JPEG2000"), GREY // 16)


def test_twelve_bits_packed_into_a_tiff_are_scaled():
    wide = values(GREY, "u2", 12).astype(np.uint32)
    pairs = (wide[:, ::2] << 12 | wide[:, 1::2]).astype(">u4")
    packed = np.frombuffer(pairs.tobytes(), np.uint8).reshape(-1, 4)[:, 1:].tobytes()
    tags = [
        (256, SIZE),
        (257, SIZE),
        (258, 12),
        (259, 1),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, SIZE),
        (279, len(packed)),
    ]
    table = struct.pack("<H", len(tags)) + b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags
    )
    assert_shows(b"II*\0" + struct.pack("<I", 8 + len(packed)) + packed + table + bytes(4), GREY)


def test_a_tiff_of_many_channels_is_refused():
    spectrum = np.zeros((8, 8, 5), np.uint16)
    with pytest.raises(ImageError, match=r"^is a TIFF of a kind that cannot be decoded$"):
        decode(tiff(spectrum, photometric="minisblack", planarconfig="contig"))


def test_a_deep_tiff_over_the_limit_of_pixels_is_refused_with_its_size():
    data = tiff(np.zeros((40, 50, 3), np.float64), photometric="rgb")
    with pytest.raises(ImageError, match=r"^is 50 × 40 pixels, more than the limit of 1,999 in all$"):
        decode(data, max_pixels=1999)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        (np.array([0, 1023], np.uint16), [0, 255]),
        (np.array([0, 16384], np.uint16), [0, 64]),
        (np.array([0, 100], np.int32), [0, 100]),
        (np.array([-100, 100], np.int16), [0, 255]),
        (np.array([0, 10**6], np.int32), [0, 255]),
        (np.array([0, 0.5]), [0, 128]),
        (np.array([7, 7.5]), [0, 255]),
        (np.array([np.nan, 1.0]), [0, 255]),
        (np.array([5000, 5000], np.float32), [0, 0]),
    ],
)
def test_numbers_become_8_bits(numbers, expected):
    assert deep.to_8_bits(numbers).tolist() == expected
