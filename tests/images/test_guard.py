"""Many files at once: in order, each with its own outcome, whatever one of them does to its decoder."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from image_samples import encoded, picture, samples
from PIL import Image

from embed import images, sources
from embed.errors import ImageError
from embed.images import Decoder, Resize, guard

RESIZE = Resize(32)


@pytest.fixture
def folder(tmp_path):
    """One good file of every format, and some that fail."""
    for name, data in samples().items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "cut.jpg").write_bytes(samples()["baseline.jpg"][:-2])
    (tmp_path / "page.jpg").write_text("<html></html>")
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "nowhere")
    return tmp_path


def outcome(folder, **options):
    with Decoder(RESIZE, **options) as decoder:
        return list(decoder.map(folder, sources.find(folder)))


def jpeg_of_thousands_of_scans() -> bytes:
    """A small file in order by its header, that asks for more work than anybody has time for."""
    data = encoded(Image.new("L", (3000, 3000), 90), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + scan * 5000 + data[-2:]


def test_results_do_not_depend_on_the_number_of_threads(folder):
    first = outcome(folder, workers=1, views=3, seed=7)
    assert [result.found.path for result in first] == [found.path for found in sources.find(folder)]
    for workers in (2, 7):
        for one, other in zip(first, outcome(folder, workers=workers, views=3, seed=7), strict=True):
            assert (one.found, one.sha256, one.problem) == (other.found, other.sha256, other.problem)
            assert (one.pixels is None and other.pixels is None) or (one.pixels == other.pixels).all()


def test_every_file_has_pixels_or_a_reason(folder):
    results = {result.found.path: result for result in outcome(folder)}
    assert len(results) == len(samples()) + 3
    for name in samples():
        assert results[name].problem is None
        assert results[name].pixels.shape == (1, 32, 32, 3)
    assert results["cut.jpg"].problem == "truncated JPEG"
    assert results["page.jpg"].problem == "is an HTML page, not an image"
    assert results["gone.jpg"].problem == "is a link to a file that does not exist"
    assert results["gone.jpg"].sha256 is None


def test_a_process_of_its_own_gives_the_same_pixels_as_a_thread(folder):
    for name, data in samples().items():
        with Decoder(RESIZE) as decoder:
            assert (decoder.decode(data) == images.decode(data, RESIZE)).all(), name


def test_known_content_is_not_decoded(folder):
    with Decoder(RESIZE) as decoder:
        for result in decoder.map(folder, sources.find(folder), skip=lambda sha256: True):
            assert result.pixels is None


def test_a_file_that_takes_too_long_fails_and_the_rest_goes_on(tmp_path):
    (tmp_path / "a.jpg").write_bytes(samples()["baseline.jpg"])
    (tmp_path / "b.jpg").write_bytes(jpeg_of_thousands_of_scans())
    (tmp_path / "c.jp2").write_bytes(samples()["rgb.jp2"])
    first, slow, last = outcome(tmp_path, timeout_s=1, workers=1)
    assert first.problem is None
    assert slow.problem == "takes more than 1 s to decode"
    assert last.problem is None


def test_a_file_that_takes_too_much_memory_fails_and_the_rest_goes_on(tmp_path):
    large = encoded(Image.new("RGB", (4000, 4000)), "TIFF", compression="tiff_lzw")
    (tmp_path / "a.tif").write_bytes(large)
    (tmp_path / "b.tif").write_bytes(samples()["lzw.tif"])
    failed, small = outcome(tmp_path, max_memory=40 << 20, workers=1)
    assert failed.problem == "needs more memory to decode than there is"
    assert small.problem is None


def test_a_decoder_that_crashes_is_a_failure_of_its_file(tmp_path, monkeypatch):
    with Decoder(RESIZE, workers=1) as decoder:
        assert decoder.decode(samples()["rgb.jp2"]).shape == (32, 32, 3)
        (child,) = decoder._children
        os.kill(child._process.pid, 11)
        with pytest.raises(ImageError, match="crashes its decoder"):
            decoder.decode(samples()["rgb.jp2"])
        assert decoder.decode(samples()["rgb.jp2"]).shape == (32, 32, 3)


def test_pictures_that_need_the_memory_for_themselves_are_decoded_one_at_a_time(folder, monkeypatch):
    render, lock, now, most = guard.render, threading.Lock(), 0, 0

    def counting(*arguments):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.01)
        try:
            return render(*arguments)
        finally:
            with lock:
                now -= 1

    monkeypatch.setattr(guard, "render", counting)
    outcome(folder, workers=8)
    assert most > 1
    most = 0
    monkeypatch.setattr(guard, "_BYTES_PER_PIXEL", 1 << 20)
    outcome(folder, workers=8)
    assert most == 1


def test_no_process_is_left_when_decoding_is_broken_off(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg_of_thousands_of_scans())
    decoder = Decoder(RESIZE, workers=1)
    waiting = threading.Thread(target=next, args=(decoder.map(tmp_path, sources.find(tmp_path)), None))
    waiting.start()
    deadline = time.monotonic() + 60
    while not decoder._children and time.monotonic() < deadline:
        time.sleep(0.01)
    (child,) = decoder._children
    decoder.close()
    waiting.join()
    assert child._process.poll() is not None


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
        "with images.Decoder(images.Resize(32)) as decoder:\n"
        "    print(len(list(decoder.map(Path('.'), sources.find(Path('.'))))))\n"
    )
    run = subprocess.run(
        [sys.executable, "-W", "always", "-c", script], cwd=folder, capture_output=True, text=True
    )
    assert (run.stdout, run.stderr) == (f"{len(samples()) + 5}\n", "")


def test_decode_file_reads_and_names_the_content(folder):
    pixels, sha256 = images.decode_file(folder / "rgb.png", RESIZE)
    assert (pixels == images.decode(samples()["rgb.png"], RESIZE)).all()
    assert sha256 == sources.read(folder / "rgb.png").sha256
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
