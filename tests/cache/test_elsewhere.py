"""Parts that other processes write: adopted once they were checked, once each, or swept."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from cache_checker import check_files
from cache_helpers import DIMENSION, fill, make_recipe, open_writer, row_of

from embed.cache import Meta, Receipt, Row, open_features, write_part
from embed.errors import CacheDamagedError, CacheError, CacheFormatError

SUPPORT = Path(__file__).parents[1] / "support"
META = Meta(dataset="data", root="", dimension=DIMENSION, recipe=make_recipe())


def rows(names, version=1):
    return [Row(name, *row_of(name, version), decoder="JPEG 2") for name in names]


def test_a_part_of_another_process_is_adopted(tmp_path):
    code = f"""
import json, sys; sys.path[:0] = [{str(SUPPORT)!r}, {str(Path(__file__).parent)!r}]
from dataclasses import asdict; from pathlib import Path; from test_elsewhere import *
print(json.dumps(asdict(write_part(Path(sys.argv[1]), META, rows(["b.jpg", "a.jpg"])))))
"""
    with open_writer(tmp_path) as writer:
        fill(writer, ["c.jpg"])
        done = subprocess.run([sys.executable, "-c", code, writer.folder], capture_output=True, check=True)
        receipt = Receipt(**json.loads(done.stdout))
        assert not list(writer.folder.glob("part-*"))
        assert writer.adopt(receipt) == 2
        assert open_features(tmp_path / "cache").paths.tolist() == ["a.jpg", "b.jpg"]
        writer.commit()
        writer.write_failures([])
    cache = open_features(tmp_path / "cache")
    assert cache.paths.tolist() == ["a.jpg", "b.jpg", "c.jpg"]
    assert np.array_equal(cache.X, [row_of(path).features for path in cache.paths])
    assert cache.decoders.tolist() == [b"JPEG 2", b"JPEG 2", b""]
    assert check_files(tmp_path / "cache", swept=True) == []


def test_a_receipt_that_comes_twice_is_dropped(tmp_path):
    with open_writer(tmp_path) as writer:
        first, again = (write_part(writer.folder, META, rows(["a.jpg"])) for _ in range(2))
        assert [writer.adopt(receipt) for receipt in (first, first, again)] == [1, 0, 0]
    with open_writer(tmp_path) as writer:
        third = write_part(writer.folder, META, rows(["a.jpg"]))
        assert writer.adopt(third) == 0
    assert len(open_features(tmp_path / "cache").parts) == 1
    assert check_files(tmp_path / "cache", swept=True) == []


def test_a_part_that_nobody_adopted_is_swept(tmp_path):
    open_writer(tmp_path).close()
    (folder,) = (tmp_path / "cache").iterdir()
    receipt = write_part(folder, META, rows(["a.jpg"]))
    assert (folder / receipt.file).exists()
    with open_writer(tmp_path) as writer:
        assert not (folder / receipt.file).exists()
        with pytest.raises(CacheDamagedError, match="gone before its rows were committed"):
            writer.adopt(receipt)
    assert len(open_features(tmp_path / "cache")) == 0


def test_what_is_not_what_was_written_is_not_adopted(tmp_path):
    with open_writer(tmp_path) as writer:
        receipt = write_part(writer.folder, META, rows(["a.jpg"]))
        path = writer.folder / receipt.file
        data = path.read_bytes()
        for position in (100, len(data) // 2, len(data) - 30, len(data) - 1):
            path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
            with pytest.raises(CacheDamagedError, match="is damaged"):
                writer.adopt(receipt)
        other = Meta(**{**vars(META), "recipe": make_recipe(size=64)})
        with pytest.raises(CacheFormatError, match="another recipe"):
            writer.adopt(write_part(writer.folder, other, rows(["b.jpg"])))
        for file in ("../.tmp-x", "meta.json", ".tmp-/../x"):
            with pytest.raises(CacheError, match="no part that was written elsewhere"):
                writer.adopt(Receipt(file, receipt.digests))
    assert len(open_features(tmp_path / "cache")) == 0


def test_the_order_of_calls_is_the_order_of_changes(tmp_path):
    with open_writer(tmp_path) as writer:
        fill(writer, ["a.jpg"], version=1)
        writer.adopt(write_part(writer.folder, META, rows(["a.jpg", "b.jpg"], version=2)))
        fill(writer, ["b.jpg"], version=3)
    X = open_features(tmp_path / "cache").X
    assert np.array_equal(X, [row_of("a.jpg", 2).features, row_of("b.jpg", 3).features])


def test_many_adopted_parts_are_folded_like_any(tmp_path):
    names = [f"{i:02d}.jpg" for i in range(40)]
    with open_writer(tmp_path) as writer:
        receipts = [write_part(writer.folder, META, rows([name])) for name in names]
        assert sum(map(writer.adopt, receipts)) == 40
        assert sum(map(writer.adopt, receipts)) == 0
    cache = open_features(tmp_path / "cache")
    assert len(cache.parts) < 20 and cache.paths.tolist() == names
    assert not [name for name in os.listdir(cache.folder) if name.startswith(".tmp")]
    assert asdict(receipts[0]).keys() == {"file", "digests"}
