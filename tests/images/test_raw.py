"""Raw photographs: the preview of the camera where it is large enough, otherwise what LibRaw makes of the sensor."""

import struct
import subprocess
import sys

import numpy as np
import pytest
from image_samples import decode, encoded, picture
from PIL import Image
from raw_samples import dng

from embed import sources
from embed.errors import ImageError
from embed.images import Decoder, Resize

pytest.importorskip("rawpy")

PICTURE = picture(256, 192)
RED = Image.new("RGB", (160, 120), (200, 20, 20))
SIZE = 64


def why_not(data: bytes, **options) -> str:
    with pytest.raises(ImageError) as failure:
        decode(data, **options)
    return str(failure.value)


def similarity(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def test_what_the_sensor_saw_is_developed():
    expected = decode(encoded(PICTURE, "PNG"), SIZE)
    for size in (SIZE, 128):  # in half its size, and in full
        expected = decode(encoded(PICTURE, "PNG"), size)
        assert similarity(decode(dng(PICTURE), size), expected) > 0.97


def test_a_preview_that_is_large_enough_is_taken():
    data = dng(PICTURE, preview=RED)
    assert np.abs(decode(data, SIZE).astype(int) - (200, 20, 20)).max() < 8
    assert similarity(decode(data, 128), decode(dng(PICTURE), 128)) > 0.999


def test_a_damaged_preview_does_not_spoil_the_photograph():
    data = dng(PICTURE, preview=RED)
    begin = data.index(b"\xff\xda")
    damaged = data[: begin + 20] + bytes(200) + data[begin + 220 :]
    assert similarity(decode(damaged, SIZE), decode(dng(PICTURE), SIZE)) > 0.999


def test_a_preview_without_compression_is_passed_over():
    """Its size is believed by LibRaw, however few bytes there are: what lies behind them would be seen."""
    data = dng(PICTURE, preview=RED)
    jpeg, none = (struct.pack("<HHII", 259, 3, 1, compression) for compression in (7, 1))
    assert data.count(jpeg) == 1
    expected = decode(dng(PICTURE), SIZE)
    assert np.array_equal(decode(data.replace(jpeg, none), SIZE), expected)


def test_raw_photographs_are_set_upright():
    upright = decode(encoded(PICTURE, "PNG"), SIZE)
    lying = PICTURE.transpose(Image.Transpose.ROTATE_90)
    assert similarity(decode(dng(lying, orientation=6), SIZE), upright) > 0.97
    assert similarity(decode(dng(lying, preview=lying, orientation=6), SIZE), upright) > 0.99


def test_the_decoder_is_recorded_as_that_of_raw_photographs(tmp_path):
    (tmp_path / "photo.dng").write_bytes(dng(PICTURE))
    source = sources.Files([tmp_path / "photo.dng"])
    with Decoder(Resize(SIZE)) as decoder:
        (result,) = decoder.map(source.read([*source.items()]))
    assert (result.problem, result.decoder) == (None, "RAW 2")


def test_a_raw_photograph_that_is_cut_short_is_refused():
    sensor, with_preview = dng(PICTURE), dng(PICTURE, preview=RED)
    # What is cut is the end, where the directories are: it is no raw photograph to anybody then.
    assert why_not(sensor[:-10]) == why_not(with_preview[:-10]) == "truncated TIFF"
    moved = sensor[:8] + sensor[1000:]  # the directory is where it was, and the sensor reaches over the end
    assert why_not(moved).startswith("truncated")
    assert why_not(b"FUJIFILMCCD-RAW 0201" + bytes(500)) in (
        "is a raw photograph of a kind that cannot be decoded",
        "truncated RAW",
        "damaged RAW",
    )


def test_a_raw_photograph_over_the_limit_of_pixels_is_refused_with_its_size():
    assert why_not(dng(PICTURE), max_pixels=256 * 192 - 1) == (
        "is 256 × 192 pixels, more than the limit of 49,151 in all"
    )


def test_without_its_reader_the_extra_is_named(tmp_path):
    (tmp_path / "photo.dng").write_bytes(dng(PICTURE))
    script = (
        "import sys; sys.modules['rawpy'] = None\n"
        "from embed.errors import ImageError\n"
        "from embed.images import Resize\n"
        "from embed.images.decode import decode\n"
        "try: decode(open('photo.dng', 'rb').read(), 'RAW', Resize(8))\n"
        "except ImageError as error: print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert run.stdout == "is a raw photograph; install embed-images[raw] to read such files\n"
