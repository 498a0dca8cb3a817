"""A disk that stutters, values at the edge of what a row holds, and features that are no numbers."""

import errno
import os
import tracemalloc

import numpy as np
import pytest
from cache_helpers import DIMENSION, fill, make_recipe, open_writer, row_of

from embed.cache import checked, list_features, open_features, verify
from embed.cache.fold import MOST_OPEN
from embed.cache.pending import stored
from embed.errors import CacheDamagedError, CacheError, FeatureError

WIDE = 5000  # values, so that ten rows have more bytes than a block
NAMES = [f"{i:03d}.jpg" for i in range(30)]


@pytest.fixture
def extracted(tmp_path):
    with open_writer(tmp_path, rows_per_part=10) as writer:
        fill(writer, NAMES)
        writer.write_failures([])
    return tmp_path / "cache"


@pytest.fixture
def failing(monkeypatch):
    """Make so many reads of parts fail, in a way of `os.preadv`; the fixture returns a function that arms it."""
    original, left = os.preadv, 0

    def arm(times, failure):
        nonlocal left
        left = times

        def preadv(descriptor, buffers, offset):
            nonlocal left
            left -= 1
            return (
                failure(descriptor, buffers, offset) if left >= 0 else original(descriptor, buffers, offset)
            )

        monkeypatch.setattr(os, "preadv", preadv)
        monkeypatch.setattr(checked, "PAUSE_S", 0)

    return arm


def refuse(*_):
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def short(descriptor, buffers, offset):
    data = os.pread(descriptor, max(1, len(buffers[0]) // 2), offset)
    buffers[0][: len(data)] = data
    return len(data)


def flipped(descriptor, buffers, offset):
    data = os.pread(descriptor, len(buffers[0]), offset)
    buffers[0][: len(data)] = bytes([data[0] ^ 1]) + data[1:]
    return len(data)


@pytest.mark.parametrize("failure", [refuse, short, flipped, lambda *_: 0])
def test_a_read_that_fails_once_is_tried_again(extracted, failing, failure):
    cache = open_features(extracted)
    assert len(cache.parts) == 3
    _ = cache.rows([0, 10, 20])  # the indexes are read
    failing(1, failure)
    assert np.array_equal(cache.X, [row_of(name).features for name in NAMES])


@pytest.mark.parametrize("check", [False, True])
def test_a_disk_that_does_not_answer_is_no_damage(tmp_path, extracted, failing, check):
    before = {path.name: path.read_bytes() for path in extracted.glob("*/p*")}
    for use in (
        lambda: open_features(extracted).X,
        lambda: verify(list_features(extracted)[0]),
        lambda: open_writer(tmp_path, check=check),
    ):
        for failure, told in ((refuse, "Input/output error"), (lambda *_: 0, "less than is there")):
            failing(1000, failure)
            with pytest.raises(CacheError, match=rf"cannot read .*part-\S+: .*{told}") as raised:
                use()
            assert not isinstance(raised.value, CacheDamagedError)
    failing(0, refuse)
    assert {path.name: path.read_bytes() for path in extracted.glob("*/p*")} == before
    assert len(open_features(extracted)) == 30


def damage(part, cache, column, at=0):
    """Flip a bit of a column."""
    data = bytearray(part.read_bytes())
    index = cache._parts[cache.parts.index(part.name)].file.index
    data[index["datasets"][column]["offsets"][0] + at] ^= 1
    part.write_bytes(data)


@pytest.fixture
def wide(tmp_path):
    """A set whose features lie in blocks of their own; the fixture returns its second part."""
    with open_writer(tmp_path, rows_per_part=10, dimension=WIDE) as writer:
        fill(writer, NAMES, dimension=WIDE)
        writer.write_failures([])
    return sorted(writer.folder.glob("part-*"))[1]


def test_a_writer_reads_no_features_unless_it_is_asked_to_check(tmp_path, wide):
    damage(wide, open_features(tmp_path / "cache"), "features", at=1 << 17)
    with open_writer(tmp_path, dimension=WIDE) as writer:
        assert writer.damaged == {} and len(writer.known) == 30
        writer.write_failures([])
    with pytest.raises(CacheDamagedError, match=rf"{wide.name} is damaged.*`embed extract --verify`"):
        _ = open_features(tmp_path / "cache").X
    with open_writer(tmp_path, dimension=WIDE, check=True) as writer:
        assert list(writer.damaged) == [wide.name] and len(writer.known) == 20
        fill(writer, NAMES[10:20], dimension=WIDE)
        writer.write_failures([])
    X = open_features(tmp_path / "cache").X
    assert np.array_equal(X, [row_of(name, dimension=WIDE).features for name in NAMES])


def test_a_known_row_costs_a_writer_less_than_a_hundred_bytes(tmp_path):
    paths = [f"train/class {i % 10:02d}/{i:06d}-4f8a-4c1e.jpg" for i in range(20_000)]
    with open_writer(tmp_path) as writer:
        for path in paths:
            writer.put(path, bytes(32), 1, 1, np.ones(DIMENSION), decoder="JPEG 1")
    open_writer(tmp_path).close()  # whatever is imported on the way
    tracemalloc.start()
    with open_writer(tmp_path) as writer:
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert list(writer.known.keys) == sorted(path.encode() for path in paths)
    assert held < 100 * len(paths)


@pytest.mark.parametrize("column", ["path", "sha256", "size", "mtime_ns"])
def test_damage_in_what_every_extraction_reads_is_mended_unasked(tmp_path, wide, column):
    damage(wide, open_features(tmp_path / "cache"), column)
    with open_writer(tmp_path, dimension=WIDE) as writer:
        assert list(writer.damaged) == [wide.name] and len(writer.known) == 20


def test_a_damaged_part_does_not_keep_new_rows_from_being_committed(tmp_path, wide):
    damage(wide, open_features(tmp_path / "cache"), "features", at=1 << 17)
    names = [f"x{i:02d}.jpg" for i in range(MOST_OPEN + 4)]
    with open_writer(tmp_path, rows_per_part=1, dimension=WIDE) as writer:
        fill(writer, names, dimension=WIDE)
        assert [wide.name in sentence for sentence in writer.damaged.values()] == [True]
    cache = open_features(tmp_path / "cache")
    assert cache.paths.tolist() == [*NAMES, *names]
    expected = [row_of(name, dimension=WIDE).features for name in names]
    assert np.array_equal(cache.rows(range(30, 30 + len(names))), expected)


@pytest.mark.parametrize(
    "mtime_ns", [13_569_465_600 * 10**9, -(10**30), -3_000_000_000 * 10**9, 2**63 - 1, -(2**63)]
)
def test_any_time_and_size_is_a_row(tmp_path, mtime_ns):
    row = row_of("a.jpg")
    with open_writer(tmp_path) as writer:
        writer.put("a.jpg", row.sha256, 2**70, mtime_ns, row.features)
        fill(writer, ["b.jpg"])
    with open_writer(tmp_path) as writer:
        writer.copy("c.jpg", 1, mtime_ns, 0)
    cache = open_features(tmp_path / "cache")
    assert cache.mtimes_ns.tolist() == [stored(mtime_ns), row_of("b.jpg").mtime_ns, stored(mtime_ns)]
    assert cache.sizes[0] == stored(2**70) == 2**63 - 1
    assert stored(mtime_ns) == mtime_ns or abs(mtime_ns) >= 2**63 - 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e6])
def test_features_that_are_no_numbers_are_refused_one_by_one(tmp_path, value):
    recipe = make_recipe(dtype="float16", views=2)
    features = np.zeros(DIMENSION, np.float32)
    with open_writer(tmp_path, recipe=recipe) as writer:
        for place in (0, 1):
            both = np.zeros((2, DIMENSION), np.float32)
            both[place, 3] = value
            with pytest.raises(FeatureError, match=r"has features that are not finite|too large for float16"):
                writer.put("a.jpg", bytes(32), 1, 1, both[0], both[1:])
        writer.put("b.jpg", bytes(32), 1, 1, features, features[None])
    assert open_features(tmp_path / "cache").paths.tolist() == ["b.jpg"]


def test_decoders_are_kept_beside_their_rows(tmp_path):
    with open_writer(tmp_path) as writer:
        for name, decoder in (("a.tif", "TIFF 12"), ("b.jpg", "JPEG 1"), ("c.jpg", "")):
            writer.put(name, *row_of(name), decoder=decoder)
    with open_writer(tmp_path) as writer:
        writer.copy("d.tif", 1, 2, writer.known.index_of("a.tif"))
    assert open_features(tmp_path / "cache").decoders.tolist() == [b"TIFF 12", b"JPEG 1", b"", b"TIFF 12"]
