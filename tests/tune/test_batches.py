"""Kept outputs in batches: every photograph once, in an order that depends on the seed and the epoch alone."""

import numpy as np
import pytest
from cache_helpers import make_recipe, open_writer, row_of

from embed.cache import open_features
from embed.tune import batches
from embed.tune.batches import Batches

SHAPE = (2, 3, 4)
PHOTOGRAPHS, VIEWS = 23, 3


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """Outputs whose first value is the photograph, and whose second is the view."""
    folder = tmp_path_factory.mktemp("outputs")
    recipe = make_recipe(layer="middle", pooling="flatten", dtype="float16", views=VIEWS)
    with open_writer(folder, recipe, rows_per_part=5) as writer:
        for i in range(PHOTOGRAPHS):
            path = f"{i:02d}.jpg"
            one = row_of(path)
            values = np.zeros((VIEWS, 24))
            values[:, 0], values[:, 1] = i, range(VIEWS)
            writer.put(path, one.sha256, one.size, one.mtime_ns, values[0], values[1:])
    return open_features(folder / "cache")


def batches_of(outputs, rows=range(PHOTOGRAPHS), size=4, seed=0):
    rows = np.array(rows)
    return Batches(outputs, rows, 100 + rows, SHAPE, size, seed)


def seen(given):
    """Return the photographs of batches in order, their views, and how many there are in each."""
    x, y = zip(*given, strict=True)
    for one, labels in zip(x, y, strict=True):
        assert one.shape == (len(labels), *SHAPE)
        assert one.dtype == np.float32
    flat = np.concatenate(x).reshape(-1, 24)
    assert (flat[:, 0] + 100 == np.concatenate(y)).all()
    return flat[:, 0].tolist(), flat[:, 1].tolist(), [len(labels) for labels in y]


@pytest.mark.parametrize("buffer", [1, 2_000, 1 << 20])
def test_an_epoch_has_every_photograph_once_whatever_fits_into_memory(outputs, buffer, monkeypatch):
    monkeypatch.setattr(batches, "BUFFER_BYTES", buffer)
    monkeypatch.setattr(batches, "RUN_BYTES", 500)
    given = batches_of(outputs)
    photographs, views, sizes = seen(given.epoch(1))
    assert sorted(photographs) == list(range(PHOTOGRAPHS))
    assert sizes == [4, 4, 4, 4, 4, 3]
    assert len(given) == len(sizes)
    assert set(views) == set(range(VIEWS))
    assert photographs != sorted(photographs)


def test_the_order_depends_on_the_seed_and_the_epoch_alone(outputs):
    first = seen(batches_of(outputs).epoch(1))
    assert seen(batches_of(outputs).epoch(1)) == first
    assert seen(batches_of(outputs).epoch(2)) != first
    assert seen(batches_of(outputs, seed=1).epoch(1)) != first


def test_what_is_judged_is_not_augmented_and_in_order(outputs):
    photographs, views, _ = seen(batches_of(outputs, rows=[1, 4, 20]).plain())
    assert (photographs, views) == ([1, 4, 20], [0, 0, 0])


def test_no_more_is_read_at_a_time_than_the_buffer_holds(outputs, monkeypatch):
    monkeypatch.setattr(batches, "BUFFER_BYTES", 2 * 2 * 24 * VIEWS * 8)  # eight photographs with their views
    monkeypatch.setattr(batches, "RUN_BYTES", 1)
    asked = []
    rows = type(outputs).rows

    def counting(features, indices):
        asked.append(len(indices))
        return rows(features, indices)

    monkeypatch.setattr(type(outputs), "rows", counting)
    for _ in batches_of(outputs).epoch(1):
        pass
    assert len(asked) >= PHOTOGRAPHS // 8
    assert max(asked) <= 8 + 3


MEMORY = """
import resource, sys
from pathlib import Path
from embed.cache import open_features
from embed.tune import batches
import numpy as np

batches.BUFFER_BYTES = 16 << 20
outputs = open_features(Path(sys.argv[1]))
rows = np.arange(len(outputs))
given = batches.Batches(outputs, rows, rows % 7, (10, 20, 30), 32, 0)
assert sum(len(y) for _, y in given.epoch(1)) == len(rows)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""


@pytest.mark.torture
def test_memory_does_not_grow_with_the_photographs(tmp_path, run_embed):
    peak = {}
    for count in (3_000, 30_000):
        folder = tmp_path / str(count)
        values = np.random.default_rng(0).random((16, 6_000), np.float32)
        with open_writer(folder, make_recipe(dtype="float16"), dimension=6_000) as writer:
            for i in range(count):
                path = f"{i:06d}.jpg"
                one = row_of(path, dimension=1)
                writer.put(path, one.sha256, one.size, one.mtime_ns, values[i % 16])
        peak[count] = int(run_embed.python("-c", MEMORY, folder / "cache", check=True).stdout)
    assert peak[30_000] < peak[3_000] + 24, peak  # megabytes; the outputs of the others take 324
