"""Files of a cache that a stranger crafted, checksums and all: one sentence, bounded memory, and other sets go on."""

import json
import math
import os
import resource
import shutil
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest
from cache_helpers import DIMENSION, fill, make_recipe, open_writer, row_of
from crafting import (
    SECRET,
    craft_document,
    craft_index,
    craft_line,
    craft_values,
    parts_of,
    put_together,
    taken_apart,
    with_blocks,
)

from embed import files
from embed.cache import Receipt, failures, hdf5, list_features, open_features, read_origin, verify
from embed.cache.gather import FEW_ROWS
from embed.cache.manifest import LAST_SEQUENCE
from embed.cache.meta import meta_from_parts, write_meta
from embed.cache.place import Place
from embed.errors import CacheDamagedError, CacheError, CacheFormatError
from embed.images import are_current

ROOM = 768 << 20  # bytes that a case may take beside what is there
FIRST = [f"a/{i:03d}.jpg" for i in range(30)]
SECOND = [f"b/{i:03d}.jpg" for i in range(30)]
HUGE = 10**12
DEEP = "[" * 100_000


@pytest.fixture(autouse=True)
def bounded():
    """Let no case take much memory."""
    if not Path("/proc/self/statm").exists():  # only Linux says how much there is
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as stream:
        used = int(stream.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A cache with a set of two parts, and another set."""
    place = tmp_path_factory.mktemp("made")
    with open_writer(place) as writer:
        fill(writer, FIRST)
        writer.commit()
        fill(writer, SECOND)
    with open_writer(place, recipe=make_recipe(layer="other")) as writer:
        fill(writer, FIRST)
        writer.write_failures([])
    return place


@pytest.fixture
def world(made, tmp_path):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    here = Place.of_folder(tmp_path / "data", tmp_path / "cache")
    for one in list_features(tmp_path / "cache"):
        write_meta(one.folder, here.of(one.meta))
    return tmp_path


@pytest.fixture
def folder(world):
    """The set that a case spoils."""
    return next(one.folder for one in list_features(world / "cache") if one.meta.recipe == make_recipe())


def everything(folder):
    features = open_features(folder.parent, folder.name)
    _ = features.sha256, features.sizes, features.mtimes_ns, features.decoders, features.views
    return features.paths.tolist(), features.X


def refused(folder, kind=CacheError):
    """Check that a set is refused in one sentence that names it, that its neighbour is read, and that a writer is not kept."""
    with pytest.raises(kind) as caught:
        everything(folder)
    assert (
        str(folder) in str(caught.value) and len(str(caught.value)) < 1000 and "\n" not in str(caught.value)
    )
    other = next(one for one in list_features(folder.parent) if one.folder != folder)
    assert everything(other.folder)[0] == FIRST
    return str(caught.value)


def mended(world, folder):
    """Extract again what the set should hold."""
    with open_writer(world) as writer:
        known = set(writer.known.paths.tolist())
        fill(writer, [path for path in FIRST + SECOND if path not in known])
        writer.write_failures([])
        assert writer.folder == folder
    right(folder)


def right(folder):
    paths, X = everything(folder)
    assert paths == FIRST + SECOND
    assert np.array_equal(X, [row_of(path).features for path in paths])


def put(*keys, value):
    """Return a function that puts a value into a document."""

    def change(document):
        for key in keys[:-1]:
            document = document[key]
        document[keys[-1]] = value

    return change


def drop(*keys):
    def change(document):
        for key in keys[:-1]:
            document = document[key]
        del document[keys[-1]]

    return change


def overlapping(index):
    """A few bytes of the file as the rows of a million photographs."""
    for entry in index["datasets"].values():
        if entry["shape"][0] == len(FIRST):
            entry["shape"][0] = 1 << 20
            entry["chunk_rows"] = len(FIRST)
            entry["offsets"] = entry["offsets"][:1] * math.ceil((1 << 20) / len(FIRST))


FEATURES = ("datasets", "features")
INDEXES = {
    "no length": drop("length"),
    "another length": put("length", value=HUGE),
    "a text as length": put("length", value="7"),
    "no blocks": drop("blocks"),
    "fewer blocks": put("blocks", value=[]),
    "more blocks": put("blocks", value=["0" * 16] * 1000),
    "negative blocks": put("blocks", value=["-1"]),
    "long blocks": put("blocks", value=["f" * 40]),
    "blocks that are numbers": put("blocks", value=[1, 2.5, None]),
    "no datasets": drop("datasets"),
    "datasets as a list": put("datasets", value=[1]),
    "no paths": drop("datasets", "path"),
    "no removed": drop("datasets", "removed"),
    "no hash": drop("recipe_hash"),
    "a hash that is none": put("recipe_hash", value=[1]),
    "a version that is none": put("format_version", value=[2]),
    "a version that is true": put("format_version", value=True),
    "a newer version": put("format_version", value=10**4000),
    "a dataset that is none": put(*FEATURES, value=7),
    "no shape": drop(*FEATURES, "shape"),
    "rows without end": put(*FEATURES, "shape", value=[HUGE, DIMENSION]),
    "rows below zero": put(*FEATURES, "shape", value=[-1, DIMENSION]),
    "rows that are no number": put(*FEATURES, "shape", value=[math.nan, DIMENSION]),
    "wide rows": put(*FEATURES, "shape", value=[30, HUGE]),
    "rows of nothing": put(*FEATURES, "shape", value=[30, 0]),
    "a flat shape": put(*FEATURES, "shape", value=[30]),
    "a text as shape": put(*FEATURES, "shape", value="ab"),
    "fewer rows": put(*FEATURES, "shape", value=[3, DIMENSION]),
    "chunks of nothing": put(*FEATURES, "chunk_rows", value=0),
    "chunks below zero": put(*FEATURES, "chunk_rows", value=-30),
    "chunks without end": put(*FEATURES, "chunk_rows", value=HUGE),
    "chunks that are true": put(*FEATURES, "chunk_rows", value=True),
    "no offsets": drop(*FEATURES, "offsets"),
    "fewer offsets": put(*FEATURES, "offsets", value=[]),
    "more offsets": put(*FEATURES, "offsets", value=[0] * 1000),
    "an offset outside": put(*FEATURES, "offsets", value=[HUGE]),
    "an offset below zero": put(*FEATURES, "offsets", value=[-8]),
    "an offset beyond int64": put(*FEATURES, "offsets", value=[1 << 80]),
    "an offset that is a fraction": put(*FEATURES, "offsets", value=[512.5]),
    "an offset that is infinite": put(*FEATURES, "offsets", value=[math.inf]),
    "overlapping chunks": overlapping,
    "Python objects": put(*FEATURES, "dtype", value="|O"),
    "no dtype": put(*FEATURES, "dtype", value="<q9"),
    "a dtype that is a list": put(*FEATURES, "dtype", value=[["a", "<f4"]]),
    "a dtype without end": put("datasets", "path", "dtype", value="|S999999999"),
    "a dtype of nothing": put("datasets", "path", "dtype", value="|S0"),
    "doubles": put(*FEATURES, "dtype", value="<f8"),
    "the other order of bytes": put(*FEATURES, "dtype", value=">f4"),
    "short digests": put("datasets", "sha256", "shape", value=[30, 31]),
    "text as sizes": put("datasets", "size", "dtype", value="|S8"),
}


@pytest.mark.parametrize("change", INDEXES.values(), ids=INDEXES)
def test_an_index_that_says_what_cannot_be(world, folder, change):
    craft_index(parts_of(folder)[0], change)
    refused(folder)


@pytest.mark.parametrize("change", [INDEXES["rows without end"], overlapping, INDEXES["no paths"]])
def test_a_part_that_says_what_cannot_be_is_set_aside(world, folder, change):
    crafted = craft_index(parts_of(folder)[0], change)
    mended(world, folder)
    assert (folder / "damaged" / crafted.name).exists()


@pytest.mark.parametrize(
    ("raw", "length"),
    [
        (DEEP.encode(), None),
        (b"[" + b"[]," * (1 << 22) + b"[]]", None),
        (b"7", None),
        (b"{}", None),
        (b"\xff" * 100, None),
        (b"{}", (1 << 64) - 1),
        (b"{}", 1 << 40),
    ],
    ids=[
        "deep",
        "values without end",
        "a number",
        "empty",
        "no text",
        "beyond int64",
        "longer than the file",
    ],
)
def test_an_index_that_is_none(world, folder, raw, length):
    part = parts_of(folder)[0]
    image, _ = taken_apart(part)
    put_together(part, image, {}, raw=raw, length=length)
    refused(folder)


def test_a_part_of_a_terabyte_of_nothing_is_not_read_through(world, folder):
    part = parts_of(folder)[0]
    (folder / "parts.txt").unlink()
    os.truncate(part, 1 << 40)
    assert "end is missing" in refused(folder, CacheDamagedError)


def test_an_index_of_gigabytes_is_not_read(world, folder):
    part = parts_of(folder)[0]
    image, index = taken_apart(part)
    crafted = put_together(part, image, index, length=8 << 30)
    footer = crafted.read_bytes()[-16:]
    os.truncate(crafted, 9 << 30)
    with crafted.open("r+b") as stream:
        stream.seek(-16, os.SEEK_END)
        stream.write(footer)
    refused(folder, CacheDamagedError)


@pytest.mark.parametrize(
    "path",
    [b"../../s.jpg", b"a/../../s.j", b"/etc/passwd", b"a\0b", b"\0\0\0\0\0\0\0\0\0", b"..", b"a/.."],
    ids=repr,
)
def test_no_path_leads_out_of_the_data_folder(world, folder, path):
    part = parts_of(folder)[0]
    width = int(taken_apart(part)[1]["datasets"]["path"]["dtype"][2:])
    craft_values(part, "path", path[:width].ljust(width, b"\0"))
    (world / "data" / "s.jpg").write_bytes(SECRET)
    refused(folder, CacheDamagedError)
    mended(world, folder)


def test_two_dots_within_a_name_are_a_name(tmp_path):
    names = ["a..b.jpg", "..a/x.jpg", "x/b..", "x/...jpg"]
    with open_writer(tmp_path) as writer:
        fill(writer, names)
    assert open_features(tmp_path / "cache").paths.tolist() == sorted(names)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_features_that_are_no_numbers_are_not_handed_out(world, folder, value):
    craft_values(parts_of(folder)[0], "features", np.full(1, value, "<f4").tobytes())
    assert "not finite" in refused(folder, CacheDamagedError)


def test_large_features_are_numbers(tmp_path):
    X = np.full((FEW_ROWS + 5, DIMENSION), 3e38, np.float32)
    with open_writer(tmp_path) as writer:
        for i, values in enumerate(X):
            writer.put(f"{i:04d}.jpg", row_of(str(i)).sha256, 1, 1, values)
    features = open_features(tmp_path / "cache")
    assert np.array_equal(features.X, X) and np.array_equal(features.rows([3]), X[3:4])


def test_decoders_that_are_no_text_are_not_current():
    names = np.array([b"\xff\xfe", b"JPEG 1", *(b"%d" % i for i in range(5000))])
    assert np.flatnonzero(are_current(names)).tolist() == [1]


# ---------------------------------------------------------------------- the manifest

LINES = {
    "rows without end": put("rows", value=HUGE),
    "more rows": put("rows", value=31),
    "fewer rows": put("rows", value=3),
    "rows below zero": put("rows", value=-1),
    "rows that are text": put("rows", value="30"),
    "rows that are a fraction": put("rows", value=30.0),
    "rows that are true": put("rows", value=True),
    "no rows": put("rows", value=None),
    "removals": put("removed", value=5),
    "removals without end": put("removed", value=HUGE),
    "another size": put("bytes", value=7),
    "a size that is text": put("bytes", value="7"),
    "another first path": put("first", value="0"),
    "another last path": put("last", value="a/9"),
    "a last path beyond the next part": put("last", value="z"),
    "a path with a zero byte": put("first", value="a\0"),
    "a path that is no name": put("first", value="\ud800"),
    "a path that is a number": put("first", value=5),
    "no first path": put("first", value=None),
    "a name elsewhere": put("name", value="../../s.jpg"),
    "a name that is a number": put("name", value=7),
    "replaces what is elsewhere": put("replaces", value=["../../data/s.jpg"]),
    "replaces a number": put("replaces", value=[7]),
    "replaces a text": put("replaces", value="part"),
    "replaces nothing that is": put("replaces", value=None),
    "a word that nobody knows": put("more", value=1),
    "no name": drop("name"),
    "a list": lambda _: b"[1]",
    "deep": lambda _: DEEP.encode(),
    "no text": lambda _: b"\xff",
    "a long number": lambda _: b"1" * 5000,
}


@pytest.mark.parametrize("change", LINES.values(), ids=LINES)
def test_a_manifest_that_says_what_cannot_be(world, folder, change):
    """The part is right: a reader gives its rows or says that the manifest is wrong, and a writer keeps them all."""
    craft_line(folder, change)
    parts = parts_of(folder)
    try:
        right(folder)
    except CacheError as error:
        assert str(folder) in str(error)
    with open_writer(world) as writer:
        known = writer.known.paths.tolist()
        assert (
            known == FIRST + SECOND
            or "another size" in str(writer.damaged)
            or "instead of 7" in str(writer.damaged)
        )
    if known == FIRST + SECOND:
        assert parts_of(folder) == parts
        right(folder)


def test_a_manifest_deletes_no_part(world, folder):
    parts = parts_of(folder)
    craft_line(folder, put("replaces", value=[part.name for part in parts]))
    right(folder)
    with open_writer(world):
        pass
    assert parts_of(folder) == parts
    right(folder)


def test_a_part_with_the_last_number_is_told(world, folder):
    part = parts_of(folder)[-1]
    _, _, *digests = part.name.split("-")
    part.rename(folder / f"part-{LAST_SEQUENCE}-{'-'.join(digests)}")
    (folder / "parts.txt").unlink()
    with pytest.raises(CacheFormatError, match="last number"), open_writer(world) as writer:
        fill(writer, ["c.jpg"])
    right(folder)


# ---------------------------------------------------------------------- small files

METAS = {
    "no dimension": put("dimension", value=0),
    "a dimension below zero": put("dimension", value=-24),
    "a dimension without end": put("dimension", value=HUGE),
    "a dimension that is text": put("dimension", value="24"),
    "a dimension that is a fraction": put("dimension", value=24.0),
    "a number that is a text": put("extraction", value="1"),
    "a number without end": put("extraction", value=10**4000),
    "a number that is none": put("extraction", value=math.nan),
    "rows below zero": put("rows", value=-1),
    "rows that are text": put("rows", value="1"),
    "a root with a zero byte": put("root", value="/a\0b"),
    "a root that is no name": put("root", value="/\ud800"),
    "a root that is a list": put("root", value=["/"]),
    "a name that is a number": put("dataset", value=7),
    "libraries that are a list": put("libraries", value=["x"]),
    "former places that are a list": put("former", value=["x"]),
    "former places with a zero byte": put("former", value={"a\0b": 1}),
    "complete that is a number": put("complete", value=2),
    "a word that nobody knows": put("more", value=1),
    "no recipe": drop("recipe"),
    "views without end": put("recipe", "views", value=HUGE),
    "no views": put("recipe", "views", value=0),
    "pixels without end": put("recipe", "size", value=HUGE),
    "a backbone elsewhere": put("recipe", "backbone", value="../../x"),
    "a backbone that is no name": put("recipe", "backbone", value="\ud800"),
    "a type that is none": put("recipe", "dtype", value="object"),
    "a hash that is none": put("recipe_hash", value=[1]),
    "a version that is a list": put("format_version", value=[2]),
}


@pytest.mark.parametrize("change", METAS.values(), ids=METAS)
def test_a_meta_json_that_says_what_cannot_be(world, folder, change):
    craft_document(folder / "meta.json", change)
    refused(folder)
    assert [one.folder.name for one in list_features(folder.parent)] != []


@pytest.mark.parametrize(
    "change", [METAS["a dimension without end"], METAS["no recipe"], METAS["a root with a zero byte"]]
)
def test_a_meta_json_that_says_what_cannot_be_is_made_anew(world, folder, change):
    for path in FIRST + SECOND:
        file = world / "data" / path
        file.parent.mkdir(exist_ok=True)
        with file.open("wb") as stream:
            stream.truncate(row_of(path).size)
        os.utime(file, ns=(0, row_of(path).mtime_ns))
    craft_document(folder / "meta.json", change)
    mended(world, folder)


def test_a_part_whose_recipe_is_none_gives_no_meta(world, folder):
    for change in (put("recipe", "backbone", value="../x"), drop(*FEATURES), put("recipe", value=7)):
        copy = world / "copy"
        shutil.copytree(folder, copy)
        for part in parts_of(copy):
            craft_index(part, change)
        with suppress(CacheFormatError):
            assert meta_from_parts(copy, "x") is None
        shutil.rmtree(copy)


ORIGINS = {
    "patterns that are a text": put("exclude", value="*.jpg"),
    "patterns that are numbers": put("include", value=[1]),
    "a count that is infinite": put("left_out", value=[["a", "b", math.inf]]),
    "a count below zero": put("left_out", value=[["a", "b", -1]]),
    "a triple of two": put("left_out", value=[["a", "b"]]),
    "places with a zero byte": put("places", value=["a\0b"]),
    "places that are no name": put("places", value=["\ud800"]),
    "arguments that are a list": put("again", value=["x"]),
    "no arguments": drop("again"),
}


@pytest.mark.parametrize("change", ORIGINS.values(), ids=ORIGINS)
def test_a_source_json_that_says_what_cannot_be(folder, change):
    document = {"format_version": 1, "exclude": [], "include": [], "left_out": [], "again": "", "places": []}
    files.write_document(folder, "source.json", document)
    assert read_origin(folder).again == ""
    craft_document(folder / "source.json", change)
    with pytest.raises(CacheDamagedError, match=r"source\.json is damaged"):
        read_origin(folder)
    right(folder)


@pytest.mark.parametrize(
    "row",
    [r"\ud800,x,1,1", r"a\x00b,x,1,1", ",x,1,1", "a,x,1e3,1", "a,x,1", f"a,x,{'9' * 5000},1", "a,x,nan,1"],
)
def test_a_failures_csv_that_says_what_cannot_be(folder, row):
    failures.write(folder, [failures.Failure("a", "b")])
    (folder / "failures.csv").write_text(f"path,reason,size,mtime_ns\n{row}\n")
    with pytest.raises(CacheDamagedError, match=r"failures\.csv is damaged"):
        failures.read(folder)


@pytest.mark.parametrize("name", ["meta.json", "parts.txt", "failures.csv", "source.json"])
def test_small_files_without_end_take_no_memory(world, folder, name):
    text = b'{"format_version": 2, "a": [' + b"[]," * (20 << 20) + b"[]]}"
    data = files.seal({"a": 1}).replace(b'"a": 1', text) if name.endswith("json") else text
    (folder / name).write_bytes(data[: files.documents.MOST_BYTES])
    try:
        right(folder)
    except CacheError as error:
        assert name in str(error)


@pytest.mark.parametrize(
    "file", ["../../data/s", "s", ".tmp-a/../../../data/s", ".tmp-\0", "", ".tmp-" + "x" * 300]
)
def test_a_receipt_names_no_file_elsewhere(world, file):
    secret = world / "data" / "s"
    secret.write_bytes(SECRET)
    with open_writer(world) as writer, pytest.raises(CacheError, match="no part that was written elsewhere"):
        writer.adopt(Receipt(file, "-".join(parts_of(writer.folder)[0].stem.split("-")[2:])))
    assert secret.read_bytes() == SECRET


@pytest.mark.parametrize("digests", ["", "0" * 16, "../x", "0" * 16 + "-" + "g" * 16])
def test_a_receipt_has_the_digests_of_a_part(digests):
    with pytest.raises(CacheError, match="no part that was written elsewhere"):
        Receipt(".tmp-x", digests)


@pytest.mark.parametrize("name", ["part", "meta.json", "parts.txt", "failures.csv"])
def test_a_pipe_is_not_waited_for(world, folder, name):
    file = parts_of(folder)[0] if name == "part" else folder / name
    file.unlink(missing_ok=True)
    os.mkfifo(file)
    try:
        right(folder)
        open_features(folder.parent, folder.name).failures()
        raise AssertionError("it was read")
    except CacheError as error:
        assert "no ordinary file" in str(error)


@pytest.mark.parametrize("name", [".lock", "parts.txt"])
def test_nothing_is_written_through_a_link(world, folder, name):
    secret = world / "secret"
    secret.write_bytes(SECRET)
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(secret)
    with pytest.raises(CacheError), open_writer(world) as writer:
        fill(writer, ["c.jpg"])
        writer.commit()
        raise CacheError("parts.txt was put in the place of the link")
    assert secret.read_bytes() == SECRET


# ---------------------------------------------------------------------- HDF5

RELATIVE = Path("..", "..", "secret.h5")


def linked(image, name, place):
    del image[name]
    image[name] = h5py.ExternalLink(str(RELATIVE), "/features")


def soft(image, name, place):
    del image[name]
    image[name] = h5py.SoftLink("/sha256")


def external(image, name, place):
    shape, dtype = image[name].shape, image[name].dtype
    del image[name]
    image.create_dataset(name, shape, dtype, external=[(str(place / "secret"), 0, h5py.h5f.UNLIMITED)])


def virtual(image, name, place):
    shape, dtype = image[name].shape, image[name].dtype
    del image[name]
    layout = h5py.VirtualLayout(shape, dtype)
    layout[:] = h5py.VirtualSource(str(place / "secret.h5"), "features", shape)
    image.create_virtual_dataset(name, layout)


def wide(image, name, place):
    del image[name]
    image.create_dataset(name, (1 << 40, 1 << 20), "<f4", chunks=(1 << 10, 1 << 20))


def packed(image, name, place):
    values = image[name][:]
    del image[name]
    image.create_dataset(name, data=values, chunks=values.shape, compression="gzip")


def tall(image, name, place):
    values = image[name][:]
    del image[name]
    image.create_dataset(
        name, data=values, chunks=(1 << 16, values.shape[1]), maxshape=(None, None), fletcher32=True
    )


def group(image, name, place):
    del image[name]
    image.create_group(name)


def nothing(image, name, place):
    del image[name]


@pytest.mark.parametrize("craft", [linked, soft, external, virtual, wide, packed, tall, group, nothing])
def test_hdf5_leads_nowhere_and_says_what_the_index_says(world, folder, craft, tmp_path):
    """Reading asks HDF5 nothing; checking asks it, and follows nothing that leads out of the part."""
    with h5py.File(tmp_path / "secret.h5", "w") as secret:
        secret["features"] = np.zeros((30, DIMENSION), np.float32)
    (tmp_path / "secret").write_bytes(bytes(4 * 30 * DIMENSION))
    part = parts_of(folder)[0]
    image, index = taken_apart(part)
    inner = tmp_path / "image.h5"
    inner.write_bytes(image)
    with h5py.File(inner, "r+") as file:
        craft(file, "features", tmp_path)
    image = inner.read_bytes()
    crafted = put_together(part, image, with_blocks(image, index))
    report = verify(next(one for one in list_features(folder.parent) if one.folder == folder))
    assert list(report.damaged) == [crafted.name]
    assert report.rows == len(SECOND)


def test_a_part_that_leads_hdf5_astray_is_told_and_the_others_are_checked(world, folder, monkeypatch):
    """HDF5 may crash, or never come back, whatever it is given."""
    part = parts_of(folder)[0]
    original = hdf5.BEGIN
    for ill, limit in (("os.kill(os.getpid(), signal.SIGSEGV)", 30), ("any(iter(int, 1))", 1)):
        child = original.replace(
            "hdf5.main()",
            f"hdf5.SECONDS = {limit}; import os, signal; done = hdf5._done\n"
            "def astray(descriptor, job):\n"
            f"    if os.readlink(f'/proc/self/fd/{{descriptor}}').endswith({part.name!r}): {ill}\n"
            "    return done(descriptor, job)\n"
            "hdf5._done = astray; hdf5.main()",
        )
        monkeypatch.setattr(hdf5, "BEGIN", child)
        report = verify(next(one for one in list_features(folder.parent) if one.folder == folder))
        assert list(report.damaged) == [part.name] and "goes on for ever" in report.damaged[part.name]
        assert report.rows == len(SECOND)


@pytest.mark.parametrize("places", [range(0, 800, 101), range(800, 6000, 701)], ids=["superblock", "objects"])
def test_hdf5_that_was_changed_anywhere_is_told(world, folder, places):
    part = parts_of(folder)[0]
    image, index = taken_apart(part)
    last = None
    for place in places:
        if last is not None:
            last.unlink()
        crafted = part.with_name("part-00000001-" + "0" * 16 + "-" + "0" * 16 + ".h5")
        crafted.touch()
        changed = image[:place] + bytes([image[place] ^ 0xFF]) + image[place + 1 :]
        part.unlink(missing_ok=True)
        last = put_together(crafted, changed, with_blocks(changed, index))
        report = verify(next(one for one in list_features(folder.parent) if one.folder == folder))
        assert set(report.damaged) <= {last.name}


def test_json_is_read_within_limits():
    assert files.from_json(json.dumps({"a": [1, {"b": None}]}).encode()) == {"a": [1, {"b": None}]}
    for text in (DEEP, "[" + "1," * (3 << 20) + "1]", "1" * 5000, "", "{"):
        with pytest.raises(ValueError, match=r".+"):
            files.from_json(text.encode())
