"""Many files at once: in order, each with its own outcome, whatever one of them does to its decoder."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from image_samples import decode, encoded, picture, samples
from PIL import Image

from embed import images, sources
from embed.errors import ImageError
from embed.images import Decoder, Resize
from embed.images import decode as inside
from embed.sources import signatures

RESIZE = Resize(32)


@pytest.fixture
def folder(tmp_path):
    """One good file of every format, and some that fail."""
    for name, data in samples().items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "cut.jpg").write_bytes(samples()["baseline.jpg"][:-10])
    (tmp_path / "page.jpg").write_text("<html></html>")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    return tmp_path


def read(folder) -> list[sources.Read]:
    """Return every file of a folder, in order, with its content or why that cannot be had."""
    source = sources.Files(sorted(folder.iterdir()))
    return list(source.read([*source.items()]))


def outcome(folder, **options):
    with Decoder(RESIZE, **options) as decoder:
        return list(decoder.map(read(folder)))


def name(result) -> str:
    return os.path.basename(result.item.name)


def jpeg_of_thousands_of_scans() -> bytes:
    """A small file in order by its header, that asks for more work than anybody has time for."""
    data = encoded(Image.new("L", (3000, 3000), 90), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + scan * 5000 + data[-2:]


# How a large picture of one colour is made in no time.
FAST = {"WEBP": {"lossless": True, "method": 0}, "AVIF": {"speed": 10}, "JPEG2000": {"num_resolutions": 1}}


def test_results_do_not_depend_on_the_number_of_threads(folder):
    first = outcome(folder, workers=1, views=3, seed=7)
    assert [name(result) for result in first] == sorted(os.listdir(folder))
    for workers in (2, 7):
        for one, other in zip(first, outcome(folder, workers=workers, views=3, seed=7), strict=True):
            assert (one.item, one.sha256, one.problem) == (other.item, other.sha256, other.problem)
            assert (one.pixels is None and other.pixels is None) or (one.pixels == other.pixels).all()


def test_every_file_has_pixels_or_a_reason(folder):
    results = {name(result): result for result in outcome(folder)}
    assert len(results) == len(samples()) + 3
    for sample in samples():
        assert results[sample].problem is None
        assert results[sample].pixels.shape == (1, 32, 32, 3)
    assert results["cut.jpg"].problem == "truncated JPEG"
    assert results["page.jpg"].problem == "is an HTML page, not an image"
    assert results["gone.jpg"].problem == "is a link to a file that does not exist"
    assert results["gone.jpg"].sha256 is None
    assert not results["gone.jpg"].lasting
    assert results["cut.jpg"].lasting


def test_every_result_names_its_decoder(folder):
    decoders = {name(result): result.decoder for result in outcome(folder)}
    assert decoders["baseline.jpg"] == decoders["cut.jpg"] == "JPEG 1"
    assert decoders["rgb.jp2"] == "JPEG 2000 1"
    assert decoders["page.jpg"] == decoders["gone.jpg"] == ""


def test_the_sandbox_changes_no_pixel(folder):
    for sample, data in samples().items():
        here = np.asarray(inside.decode(data, signatures.identify(data), RESIZE))
        with Decoder(RESIZE) as decoder:
            assert (decoder.decode(data) == here).all(), sample


def test_views_are_those_of_the_photograph(folder):
    with Decoder(RESIZE, views=3, seed=7) as decoder:
        for result in decoder.map(read(folder)):
            if result.pixels is not None:
                views = images.augment(result.pixels[0], 3, 7, result.sha256)
                assert (result.pixels == views).all()


def test_known_content_is_not_decoded(folder):
    with Decoder(RESIZE) as decoder:
        for result in decoder.map(read(folder), skip=lambda sha256: True):
            assert result.pixels is None


def test_a_file_that_takes_too_long_fails_and_the_rest_goes_on(tmp_path):
    (tmp_path / "a.jpg").write_bytes(samples()["baseline.jpg"])
    (tmp_path / "b.jpg").write_bytes(jpeg_of_thousands_of_scans())
    (tmp_path / "c.jp2").write_bytes(samples()["rgb.jp2"])
    first, slow, last = outcome(tmp_path, timeout_s=1, workers=1)
    assert first.problem is None
    assert slow.lasting
    assert slow.problem == "takes more than 1 s of processor time to decode"
    assert last.problem is None


def test_a_file_that_takes_too_much_memory_fails_and_the_rest_goes_on(tmp_path):
    large = encoded(Image.new("RGB", (9000, 9000)), "TIFF", compression="tiff_lzw")
    (tmp_path / "a.tif").write_bytes(large)
    (tmp_path / "b.tif").write_bytes(samples()["lzw.tif"])
    failed, small = outcome(tmp_path, max_memory=40 << 20, workers=1)
    assert failed.problem == "needs more than 40 MiB of memory to decode"
    assert not failed.lasting
    assert small.problem is None


def test_a_row_without_end_is_told_for_what_it_takes(tmp_path):
    """Each of its columns takes more where it is made small than where it is read."""
    (tmp_path / "a.bmp").write_bytes(encoded(Image.new("RGB", (16_000_000, 1)), "BMP"))
    (row,) = outcome(tmp_path, max_memory=256 << 20, workers=1)
    assert row.problem == "needs more than 256 MiB of memory to decode"


@pytest.mark.parametrize("form", ["WEBP", "AVIF", "JPEG2000"])
def test_a_decoder_that_calls_a_lack_of_memory_damage_is_not_believed(tmp_path, form):
    whole = encoded(Image.new("RGB", (5000, 5000), "teal"), form, **FAST[form])
    (tmp_path / "a").write_bytes(whole)
    (tmp_path / "b").write_bytes(whole[: len(whole) // 2] + bytes(40) + whole[len(whole) // 2 + 40 :])
    short, _ = outcome(tmp_path, max_memory=40 << 20, workers=1)
    assert (short.problem, short.lasting) == ("needs more than 40 MiB of memory to decode", False)
    enough, damaged = outcome(tmp_path, workers=1)
    assert enough.problem is None
    assert damaged.problem is None or damaged.lasting


def test_nothing_is_printed_whatever_is_decoded(folder, tmp_path):
    broken = bytearray(samples()["lzw.tif"])
    broken[200:240] = b"\xff" * 40  # libtiff has much to say about this
    (folder / "broken.tif").write_bytes(broken)
    exif = Image.Exif()
    exif[0x010E] = "a description that is long enough to be stored elsewhere"
    data = encoded(picture(), "JPEG", exif=exif)
    begin = data.index(b"Exif")
    (folder / "exif.jpg").write_bytes(data[: begin + 14] + b"\xff" * 30 + data[begin + 44 :])
    script = (
        "from pathlib import Path\nfrom embed import images, sources\n"
        "source = sources.Files(Path('.').iterdir())\n"
        "with images.Decoder(images.Resize(32)) as decoder:\n"
        "    print(len(list(decoder.map(source.read([*source.items()])))))\n"
    )
    run = subprocess.run(
        [sys.executable, "-W", "always", "-c", script], cwd=folder, capture_output=True, text=True
    )
    assert (run.stdout, run.stderr) == (f"{len(samples()) + 5}\n", "")


def test_decode_file_reads_and_names_the_content(folder):
    pixels, sha256 = images.decode_file(folder / "rgb.png", RESIZE)
    assert (pixels == decode(samples()["rgb.png"])).all()
    assert sha256 == hashlib.sha256(samples()["rgb.png"]).digest()
    with pytest.raises(ImageError, match="truncated JPEG"):
        images.decode_file(folder / "cut.jpg", RESIZE)
    with pytest.raises(ImageError, match="there is no such file"):
        images.decode_file(folder / "never.jpg", RESIZE)


def test_a_thumbnail_keeps_the_shape_and_is_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = picture().transpose(Image.Transpose.ROTATE_90)
    (tmp_path / "photo.jpg").write_bytes(encoded(stored, "JPEG", exif=exif))
    (tmp_path / "thumbnail.jpg").write_bytes(images.thumbnail(tmp_path / "photo.jpg", 48))
    with Image.open(tmp_path / "thumbnail.jpg") as image:
        assert image.size == (48, 36)
        expected = np.asarray(picture().resize((48, 36), Image.Resampling.BILINEAR)).astype(int)
        assert np.abs(np.asarray(image) - expected).mean() < 6
    small = images.thumbnail(tmp_path / "photo.jpg", 500)
    (tmp_path / "small.jpg").write_bytes(small)
    with Image.open(tmp_path / "small.jpg") as image:
        assert image.size == picture().size
    with pytest.raises(ImageError):
        images.thumbnail(tmp_path / "missing.jpg", 48)
