"""The specification in cache/README.md: what it says is so, and what version 1 wrote is read for ever."""

import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from cache_helpers import DIMENSION, fill, make_recipe, open_writer, row_of

from embed import files
from embed.cache import Failure, FeatureCache, Recipe, list_features, open_features, verify
from embed.cache.checked import CheckedFile
from embed.cache.fold import MOST_OPEN
from embed.errors import CacheFormatError

SPECIFICATION = Path(__file__).parents[2] / "cache" / "README.md"
VERSION_1, VERSION_2 = (Path(__file__).parents[1] / "data" / f"cache_version_{n}" for n in (1, 2))


def read_with_h5py(folder):
    """Run the ten lines of the specification and return what they read."""
    (code,) = re.findall(r"```python\n(.*?)```", SPECIFICATION.read_text(), re.DOTALL)
    assert len(code.strip().splitlines()) <= 10
    names = {"folder": str(folder)}
    exec(code, names)
    for part in names["parts"]:
        part.close()
    return names["rows"]


@pytest.mark.parametrize(
    ("folder", "decoders", "remembered"),
    [(VERSION_1, [b""] * 3, None), (VERSION_2, [b"TIFF 12", b"PNG 1", b"PNG 1"], 3)],
)
def test_a_cache_of_every_version_is_read(folder, decoders, remembered):
    (found,) = list_features(folder)
    cache = open_features(folder)
    rows = {"cat/2.jpg": row_of("cat/2.jpg", 2), "cat/one.jpg": row_of("cat/1.jpg")}
    rows["dog/caf\udce9.jpg"] = row_of("dog/caf\udce9.jpg")
    assert cache.paths.tolist() == list(rows)
    assert np.array_equal(cache.X, [row.features for row in rows.values()])
    assert np.array_equal(cache.views[:, 0], cache.X + 1)
    assert [value.tobytes() for value in cache.sha256] == [row.sha256 for row in rows.values()]
    assert cache.sizes.tolist() == [row.size for row in rows.values()]
    assert cache.mtimes_ns.tolist() == [row.mtime_ns for row in rows.values()]
    assert cache.failures() == [Failure("dog/notes.jpg", "is no image", 12, 3)]
    assert (cache.meta.dataset, cache.meta.root, cache.meta.extraction) == ("pets", "/photographs/pets", 2)
    assert cache.recipe.hash.startswith("b02a0b1c")
    assert (cache.decoders.tolist(), cache.meta.rows) == (decoders, remembered)
    assert (verify(found).parts, verify(found).rows, verify(found).damaged) == (2, 3, {})


def test_a_writer_goes_on_in_version_2_beside_the_parts_of_version_1(tmp_path):
    shutil.copytree(VERSION_1, tmp_path / "cache", copy_function=shutil.copy)
    (tmp_path / "pets").mkdir()
    for name in ("cat/2.jpg", "cat/one.jpg", "dog/caf\udce9.jpg"):
        path = tmp_path / "pets" / name
        path.parent.mkdir(exist_ok=True)
        known = open_features(VERSION_1)
        row = known.index_of(name)
        with path.open("wb") as file:
            file.truncate(known.sizes[row])
        os.utime(path, ns=(0, known.mtimes_ns[row]))
    recipe = open_features(VERSION_1).recipe
    with open_writer(tmp_path, recipe, root=tmp_path / "pets", dataset="pets") as writer:
        assert len(writer.known) == 3 and writer.damaged == {}
        assert writer.failures == [Failure("dog/notes.jpg", "is no image", 12, 3)]
        row = row_of("new.jpg")
        writer.put("new.jpg", row.sha256, 1, 2, row.features, row.features[None] + 1, "JPEG 3")
        writer.write_failures([])
    cache = open_features(tmp_path / "cache")
    assert cache.decoders.tolist() == [b"", b"", b"", b"JPEG 3"]
    assert np.array_equal(cache.X[:3], open_features(VERSION_1).X) and np.array_equal(
        cache.X[3], row.features
    )
    assert len(cache.parts) == 3 and cache.meta.rows == 4
    assert files.read_document(cache.folder / "meta.json")["format_version"] == 2
    assert sorted(read_with_h5py(cache.folder)) == list(cache.keys)
    # Folded together, they are one part of version 2.
    with open_writer(tmp_path, recipe, root=tmp_path / "pets", dataset="pets", rows_per_part=1) as writer:
        for i in range(MOST_OPEN + 4):
            writer.put(f"x{i:02d}.jpg", row.sha256, 1, 2, row.features, row.features[None] + 1, "JPEG 3")
    folded = open_features(tmp_path / "cache")
    assert len(folded.parts) < 10 and folded.decoders[:4].tolist() == cache.decoders.tolist()
    assert np.array_equal(folded.X[:4], cache.X)


def test_ten_lines_of_h5py_read_what_the_library_reads(tmp_path):
    with open_writer(tmp_path, rows_per_part=1) as writer:
        fill(writer, [f"{i}.jpg" for i in range(MOST_OPEN + 4)])
        fill(writer, ["3.jpg"], version=2)
        writer.remove("4.jpg")
    for folder in (writer.folder, *VERSION_1.iterdir(), *VERSION_2.iterdir()):
        cache = FeatureCache.open(next(s for s in list_features(folder.parent) if s.folder == folder))
        rows = read_with_h5py(folder)
        assert sorted(rows) == list(cache.keys)
        assert np.array_equal([rows[key] for key in sorted(rows)], cache.X)


def test_ten_lines_of_h5py_ignore_parts_that_were_folded(tmp_path):
    with open_writer(tmp_path, rows_per_part=1) as writer:
        fill(writer, [f"{i}.jpg" for i in range(16)])
        writer.remove("0.jpg")
        before = {part: part.read_bytes() for part in writer.folder.glob("part-*")}
        writer.commit()
    for part, data in before.items():
        part.write_bytes(data)
    assert sorted(read_with_h5py(writer.folder)) == list(open_features(tmp_path / "cache").keys)


def test_the_listing_shows_names_that_exist():
    listed = set(re.findall(r"part-\d+-[0-9a-f]+-[0-9a-f]+\.h5", SPECIFICATION.read_text()))
    assert listed == {part.name for part in VERSION_2.glob("*/part-*")}


def test_the_index_says_where_the_rows_lie(tmp_path):
    with open_writer(tmp_path) as writer:
        fill(writer, ["a.jpg", "b.jpg"])
    (part,) = writer.folder.glob("part-*")
    _, _, index_digest, file_digest = part.stem.split("-")
    entry = CheckedFile(part, index_digest, file_digest).index["datasets"]["features"]
    rows = np.frombuffer(part.read_bytes(), "<f4", 2 * DIMENSION, entry["offsets"][0]).reshape(2, DIMENSION)
    assert np.array_equal(rows, [row_of("a.jpg").features, row_of("b.jpg").features])


def test_the_same_rows_make_the_same_part(tmp_path):
    for place in ("one", "two"):
        with open_writer(tmp_path / place) as writer:
            fill(writer, ["a.jpg", "b.jpg"])
    parts = [part.name for part in tmp_path.glob("*/cache/*/part-*")]
    assert parts[0] == parts[1]


def test_a_copied_cache_is_the_same_cache(tmp_path):
    shutil.copytree(VERSION_1, tmp_path / "copy", copy_function=shutil.copy)
    assert open_features(tmp_path / "copy").fingerprint == open_features(VERSION_1).fingerprint


def test_a_recipe_with_unknown_fields_is_refused():
    document = open_features(VERSION_1).recipe.to_json()
    assert Recipe.from_json(document) == open_features(VERSION_1).recipe
    for changed in ({**document, "new": 1}, {**document, "size": "32"}, [], {"size": 1}):
        with pytest.raises(CacheFormatError, match="not a recipe"):
            Recipe.from_json(changed)


def test_a_mirror_is_another_recipe_and_a_recipe_without_the_word_has_none():
    plain, mirror = make_recipe(), make_recipe(mirror=True)
    assert plain.hash != mirror.hash
    assert "mirror" not in plain.to_json() and mirror.to_json()["mirror"] is True
    assert [Recipe.from_json(recipe.to_json()) for recipe in (plain, mirror)] == [plain, mirror]
