"""Damaged files by the thousand, through the real command: a row or a failure for each, and nothing else.

``make torture-images`` runs ten thousand of them; the ordinary run takes a few hundred.
"""

import io
import json
import random
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_samples import mutated, picture, samples
from raw_samples import dng

from embed import images
from embed.cache import open_features
from embed.errors import ImageError

STAGES = ("scanning", "preparing the backbone, once on this machine", "extracting", "finishing")
RESIZE = images.Resize(16)


@cache
def victims() -> dict[str, bytes]:
    """Return a file of every format, those included that other libraries than Pillow decode."""
    planes, halves = io.BytesIO(), io.BytesIO()
    pixels = np.asarray(picture())
    planar = np.ascontiguousarray(np.moveaxis(pixels, -1, 0).astype(np.uint16) * 257)
    tifffile.imwrite(planes, planar, photometric="rgb", planarconfig="separate", compression="zlib")
    tifffile.imwrite(halves, (pixels / 255).astype(np.float16), photometric="rgb")
    return samples() | {
        "planes.tif": planes.getvalue(),
        "halves.tif": halves.getvalue(),
        "sensor.dng": dng(picture()),
        "preview.dng": dng(picture(), preview=picture(64, 48)),
    }


def damage(folder: Path, count: int, seed: int) -> None:
    """Write damaged files of every format, a tenth of them under the name of another format."""
    chance = random.Random(seed)
    names = list(victims())
    for i in range(count):
        name = names[i % len(names)]
        place = folder / f"{i % 7}"
        place.mkdir(parents=True, exist_ok=True)
        claimed = name if chance.random() < 0.9 else chance.choice(names)
        (place / f"{i:05d}-{claimed}").write_bytes(mutated(victims()[name], chance))


@pytest.mark.parametrize(
    "count",
    [210, pytest.param(10_000, marks=[pytest.mark.torture, pytest.mark.timeout(3600)])],
)
def test_every_damaged_file_is_a_row_or_a_failure(tmp_path, run_embed, count):
    data = tmp_path / "data"
    damage(data, count, seed=count)
    result = run_embed("extract", data, "--backbone", "tiny", "--json", timeout=3000)
    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    features = open_features(tmp_path / "cache")
    failures = features.failures()
    assert document["images"] == count == len(features) + len(failures)
    assert document["failed"] == len(failures)
    assert not {failure.path for failure in failures} & set(features.paths)
    assert all(failure.reason and failure.reason.isprintable() for failure in failures)
    ours = (f"{len(failures)} of {count} images could not be used: ", *(f"{stage}: " for stage in STAGES))
    assert [line for line in result.stderr.splitlines() if not line.startswith(ours)] == []
    again = json.loads(run_embed("extract", data, "--backbone", "tiny", "--json", timeout=3000).stdout)
    assert (again["extracted"], again["reused"], again["failed"]) == (0, len(features), len(failures))


@pytest.fixture(scope="module")
def decoder():
    with images.Decoder(RESIZE, workers=1) as decoder:
        yield decoder


def assert_pixels_or_reason(decoder: images.Decoder, data: bytes) -> None:
    try:
        pixels = decoder.decode(data)
    except ImageError as error:
        reason = str(error)
        assert reason == reason.strip()
        assert len(reason) < 100
        assert reason.isprintable()
    else:
        assert pixels.shape == (16, 16, 3)


relaxed = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@relaxed
@given(name=st.sampled_from(list(victims())), chance=st.randoms(use_true_random=False))
def test_a_mutated_file_gives_pixels_or_a_reason(decoder, name, chance):
    assert_pixels_or_reason(decoder, mutated(victims()[name], chance))


@relaxed
@given(name=st.sampled_from(list(victims())), cut=st.integers(min_value=1))
def test_a_file_that_lost_its_end_is_never_half_a_picture(decoder, name, cut):
    whole = victims()[name]
    try:
        pixels = decoder.decode(whole[: -(1 + cut % (len(whole) - 1))])
    except ImageError:
        return
    assert (pixels == decoder.decode(whole)).all()  # what was lost is no part of the (first) picture


@relaxed
@given(
    first=st.sampled_from(list(victims())),
    second=st.sampled_from(list(victims())),
    where=st.floats(min_value=0, max_value=1),
)
def test_two_files_spliced_together_give_pixels_or_a_reason(decoder, first, second, where):
    one, other = victims()[first], victims()[second]
    assert_pixels_or_reason(decoder, one[: int(len(one) * where)] + other[int(len(other) * where) :])


@relaxed
@given(head=st.sampled_from([data[:40] for data in victims().values()]), tail=st.binary(max_size=400))
def test_a_header_followed_by_anything_gives_pixels_or_a_reason(decoder, head, tail):
    assert_pixels_or_reason(decoder, head + tail)
