"""Folding: few parts, little rewritten, nothing lost."""

import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from cache_helpers import DIMENSION, fill, make_recipe, open_writer, row_of
from search_helpers import bytes_written_by

from embed.cache import fold, open_features
from embed.cache.fold import CLOSED_BYTES, FOLD_BYTES, MOST_OPEN, plan

ROW = 5000  # bytes
OVERHEAD = 25_000  # of a part


def fake(rows, sequence):
    return SimpleNamespace(
        rows=rows, sequence=sequence, file=SimpleNamespace(bytes_on_disk=OVERHEAD + rows * ROW)
    )


def simulate(commits):
    """Publish parts of so many rows each, fold as the plan says, and return the parts, and the bytes added and written."""
    parts, added, written = [], 0, 0
    for sequence, rows in enumerate(commits):
        parts.append(fake(rows, sequence))
        added += parts[-1].file.bytes_on_disk
        written += parts[-1].file.bytes_on_disk
        while (run := plan(parts)) is not None:
            start, stop = run
            total = sum(part.rows for part in parts[start:stop])
            parts[start:stop] = [fake(total, parts[stop - 1].sequence)]
            written += parts[start].file.bytes_on_disk
    return parts, added, written


@pytest.mark.parametrize(
    "commits",
    [
        [1] * 20_000,
        [10] * 20_000,
        [100] * 10_000,
        [2048] * 500,
        [2048, 2048, 300] * 100,
        [500, 1] * 3000,
        [1, 500] * 3000,
        [int(n) for n in np.random.default_rng(0).integers(1, 2049, 1000)],
        [int(n) for n in 2 ** np.random.default_rng(1).uniform(0, 11, 3000)],
    ],
    ids=[
        "one by one",
        "ten at a time",
        "a hundred at a time",
        "bulk",
        "daily",
        "alternating",
        "alternating, small first",
        "random",
        "random in size",
    ],
)
def test_no_more_than_four_times_what_is_added_is_written_however_rows_arrive(commits):
    parts, added, written = simulate(commits)
    assert sum(part.rows for part in parts) == sum(commits)
    assert written <= 4 * added
    assert len(parts) <= MOST_OPEN + added / CLOSED_BYTES + 1
    assert max(part.file.bytes_on_disk for part in parts) <= FOLD_BYTES + CLOSED_BYTES


def test_a_writer_writes_no_more_than_four_times_what_is_added(tmp_path):
    added = 0
    with open_writer(tmp_path, dimension=512, rows_per_part=2) as writer:

        def add():
            for i in range(400):
                fill(writer, [f"{i:04d}.jpg"], dimension=512)

        _, written = bytes_written_by(add)
        added = 200 * min(path.stat().st_size for path in writer.folder.glob("part-*.h5"))
    parts = open_features(tmp_path / "cache").parts
    assert len(parts) <= MOST_OPEN
    assert added / 2 < written <= 4 * added


def test_one_photograph_does_not_rewrite_a_large_cache():
    large = [fake(CLOSED_BYTES // ROW + 1, sequence) for sequence in range(150)]
    assert plan([*large, *(fake(1, 150 + i) for i in range(MOST_OPEN))]) is None
    assert plan([*large, *(fake(1, 150 + i) for i in range(MOST_OPEN + 1))]) == (150, 150 + MOST_OPEN + 1)


def test_parts_of_one_sequence_number_are_folded_together():
    parts = [fake(1, sequence) for sequence in range(MOST_OPEN + 1)]
    parts[0] = fake(1000, 0)
    parts[1].sequence = 0
    assert plan(parts)[0] == 0


def test_rows_that_are_dead_in_a_large_part_give_their_place_back(tmp_path, monkeypatch):
    monkeypatch.setattr(fold, "CLOSED_BYTES", 1 << 16)
    names = [f"{i:04d}.jpg" for i in range(1000)]
    with open_writer(tmp_path) as writer:
        fill(writer, names)
        writer.commit()
        for name in names[:600]:
            writer.remove(name)
        writer.commit()
        before = open_features(tmp_path / "cache")
        writer.fold()
    after = open_features(tmp_path / "cache")
    assert list(after.keys) == list(before.keys)
    assert np.array_equal(after.X, [row_of(name).features for name in names[600:]])
    assert after.bytes_on_disk < 0.6 * before.bytes_on_disk


def test_a_removal_is_kept_while_an_older_part_holds_the_path(tmp_path, monkeypatch):
    monkeypatch.setattr(fold, "CLOSED_BYTES", 1 << 16)
    names = [f"{i:04d}.jpg" for i in range(1000)]
    with open_writer(tmp_path) as writer:
        fill(writer, names)
        writer.commit()
        writer.remove("0000.jpg")
        for i in range(40):
            fill(writer, [f"new {i}.jpg"])
            writer.commit()
    assert "0000.jpg" not in open_features(tmp_path / "cache").paths
    assert len(open_features(tmp_path / "cache")) == 1039


def test_folding_takes_little_memory_however_large_the_parts(tmp_path):
    rows, dimension = 250, 1000
    values = np.random.default_rng(0).random((MOST_OPEN * rows + 1, dimension), np.float32)
    with open_writer(tmp_path, dimension=dimension, rows_per_part=rows) as writer:
        for i, row in enumerate(values):
            writer.put(f"{i:05d}.jpg", bytes(32), 1, 1, row)
        before = open_features(tmp_path / "cache").parts
        tracemalloc.start()
        writer.commit()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    cache = open_features(tmp_path / "cache")
    assert (len(before), len(cache.parts)) == (MOST_OPEN, 1)
    assert np.array_equal(cache.X, values)
    assert peak < 0.3 * values.nbytes


def test_views_and_float16_survive_folding(tmp_path):
    recipe = make_recipe(views=2, dtype="float16")
    values = np.random.default_rng(0).random((40, DIMENSION)).astype(np.float16)
    with open_writer(tmp_path, recipe=recipe, rows_per_part=1) as writer:
        for i, row in enumerate(values):
            writer.put(f"{i:02d}.jpg", bytes(32), 1, 1, row, row[None] * 2)
    cache = open_features(tmp_path / "cache")
    assert len(cache.parts) <= MOST_OPEN
    assert np.array_equal(cache.X, values)
    assert np.array_equal(cache.views[:, 0], values * 2)
