"""Files that cannot be used, from the folder to ``failures.csv`` and to what the commands say of them."""

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from image_samples import encoded, picture, samples
from PIL import Image

from embed.backbones import Network
from embed.cache import open_features
from embed.extract import FeatureOptions, RunOptions, embed_files, extract_features
from embed.sources import file

REASONS = {
    "cut.jpg": "truncated JPEG",
    "cut.png": "truncated PNG",
    "sum.png": "damaged PNG: wrong checksum",
    "empty.jpg": "is empty",
    "page.jpg": "is an HTML page, not an image",
    "drawing.svg": "is an SVG drawing, not a photograph",
    "unknown.jpg": "is in no known image format",
    "gone.jpg": "is a link to a file that does not exist",
    "loop.jpg": "is a link that leads back to itself",
    "folder.jpg": "is a folder, not a file",
    "pipe.jpg": "is a named pipe, not a file",
    "device.jpg": "is a device, not a file",
    "=1+1.jpg": "is text, not an image",
}


@pytest.fixture
def folder(tmp_path) -> Path:
    """One file of every kind that fails, and three photographs, one of them under a wrong name."""
    data = tmp_path / "data"
    data.mkdir()
    jpeg, png = samples()["baseline.jpg"], bytearray(samples()["rgb.png"])
    (data / "good.jpg").write_bytes(jpeg)
    (data / "good.png").write_bytes(png)
    (data / "wrong-name.png").write_bytes(samples()["rgb.avif"])
    (data / "cut.jpg").write_bytes(jpeg[:-10])
    (data / "cut.png").write_bytes(png[:-2])
    png[len(png) // 2] ^= 1
    (data / "sum.png").write_bytes(png)
    (data / "empty.jpg").touch()
    (data / "page.jpg").write_text("<html><title>404</title></html>")
    (data / "drawing.svg").write_text("<svg/>")
    (data / "unknown.jpg").write_bytes(b"\x93\x01\x02\xfe" * 9)
    (data / "gone.jpg").symlink_to("nowhere")
    (data / "loop.jpg").symlink_to("loop.jpg")
    (data / "folder.jpg").mkdir()
    os.mkfifo(data / "pipe.jpg")
    (data / "device.jpg").symlink_to("/dev/zero")
    (data / "=1+1.jpg").write_text("formula\n")
    (data / "notes.txt").write_text("no image, and none that it wants to be")
    return data


@pytest.fixture
def tried(monkeypatch) -> list[str]:
    """The files that were read in this process, with a backbone that takes the mean of each channel."""

    class MeanColour:
        dimension, size, batch_size = 3, 96, 8

        def run(self, batch):
            return batch.mean(axis=(1, 2), dtype=np.float64).astype(np.float32)

    for module in ("here", "outside"):
        monkeypatch.setattr(f"embed.extract.{module}.open_runtime", lambda *_, **__: MeanColour())
    names: list[str] = []
    read = file.read

    def recording(path, item=None):
        names.append(path.name)
        return read(path, item)

    monkeypatch.setattr(file, "read", recording)
    return names


def extract(data, **run):
    tiny = FeatureOptions(network=Network("tiny"))
    return extract_features(data, data.parent / "cache", tiny, RunOptions(**run))


def failures(data) -> dict[str, str]:
    return {f.path: f.reason for f in open_features(data.parent / "cache").failures()}


def test_the_command_lists_every_failure_and_goes_on(folder, run_embed):
    result = run_embed("extract", folder, "--backbone", "tiny", "--json", "--strict")
    document = json.loads(result.stdout)
    assert result.returncode == 3
    assert (document["images"], document["extracted"], document["failed"]) == (
        len(REASONS) + 3,
        3,
        len(REASONS),
    )
    (table,) = folder.parent.glob("cache/*/failures.csv")
    with open(table, newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["path"].removeprefix("\\'"): row["reason"] for row in rows} == REASONS
    assert all(not row["path"].startswith("=") for row in rows)  # a spreadsheet would evaluate it
    said = (
        f"{len(REASONS)} of {len(REASONS) + 3} images could not be used: {table.relative_to(folder.parent)}"
    )
    assert said in result.stderr.splitlines()
    assert "Traceback" not in result.stderr

    query = run_embed(
        "similar", folder / "cut.jpg", folder / "pipe.jpg", folder / "good.jpg", "-k", "1", "--csv"
    )
    assert query.stdout.splitlines()[1].startswith(str(folder / "good.jpg"))
    for name in ("cut.jpg", "pipe.jpg"):
        assert f"{folder / name}: {REASONS[name]}" in query.stderr


def test_outcomes_do_not_depend_on_the_number_of_threads(folder, tried):
    summaries, lists = [], []
    for workers in (1, 3):
        summary = extract_features(
            folder,
            folder.parent / f"cache-{workers}",
            FeatureOptions(network=Network("tiny")),
            RunOptions(workers=workers, batch_size=2),
        )
        features = open_features(folder.parent / f"cache-{workers}")
        summaries.append((summary.images, summary.extracted, summary.failed))
        lists.append((features.failures(), features.paths.tolist(), features.X.tobytes()))
    assert summaries[0] == summaries[1]
    assert lists[0] == lists[1]
    assert [failure.path for failure in lists[0][0]] == sorted(REASONS, key=os.fsencode)


def test_photographs_outside_the_cache_fail_for_the_same_reasons(folder, tried):
    extract(folder)
    cache = open_features(folder.parent / "cache")
    results = embed_files([folder / name for name in REASONS], cache)
    assert {result.file.name: result.problem for result in results} == REASONS


def test_a_failed_file_is_tried_again_when_it_changed_or_on_request(folder, tried):
    extract(folder)
    tried.clear()
    assert extract(folder).failed == len(REASONS)
    assert tried == []
    extract(folder, retry_failed=True)
    assert {"cut.jpg", "page.jpg", "empty.jpg"} <= set(tried)
    assert "good.jpg" not in tried
    tried.clear()
    (folder / "cut.jpg").write_bytes(samples()["baseline.jpg"])
    (folder / "gone.jpg").unlink()
    assert extract(folder).failed == len(REASONS) - 2
    assert tried == ["cut.jpg"]


def test_what_failed_for_a_reason_outside_the_file_is_tried_again(folder, tried):
    Image.new("RGB", (300, 300)).save(folder / "large.png")
    extract(folder, max_pixels=80_000)
    assert failures(folder)["large.png"] == "is 300 × 300 pixels, more than the limit of 80,000 in all"
    tried.clear()
    assert extract(folder).extracted == 1
    assert tried == ["large.png"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [("remove", "vanished"), ("shrink", "changed while reading"), ("grow", "changed while reading")],
)
def test_a_file_that_changes_after_the_scan_is_picked_up_by_the_next_run(
    folder, monkeypatch, tried, change, reason
):
    target = folder / "photo.png"
    whole = encoded(picture(50, 40), "PNG")
    target.write_bytes(whole)
    read = file.read

    def interfering(path, item=None):
        if path == target:
            if change == "remove":
                target.unlink()
            else:
                target.write_bytes(whole[:500] if change == "shrink" else whole * 2)
        return read(path, item)

    with monkeypatch.context() as context:
        context.setattr(file, "read", interfering)
        status = target.stat()
        extract(folder)
    assert failures(folder)["photo.png"] == reason
    target.write_bytes(whole)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))  # as if it had never been away
    assert extract(folder).extracted == 1
    assert "photo.png" not in failures(folder)
