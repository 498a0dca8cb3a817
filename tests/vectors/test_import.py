"""Vectors of another program: read, matched, checked, and then a feature set like any other."""

import io
import json
import pickle
import shutil
import tracemalloc

import numpy as np
import pytest
from numpy.lib import format as npy

import embed
from embed import demo
from embed.api import review
from embed.cache import list_features
from embed.errors import EmbedError, InputError, UsageError
from embed.report import report_page


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    demo.draw(folder / "photos", train=6, test=2)
    embed.extract_features(folder / "photos", folder / "cache", backbone="tiny")
    return folder


@pytest.fixture
def world(drawn, tmp_path):
    """Photographs, their paths and the vectors of `tiny`, as if another program had made them."""
    shutil.copytree(drawn / "photos", tmp_path / "photos")
    known = embed.open(drawn / "cache")
    (tmp_path / "paths.txt").write_text("\n".join(known.paths) + "\n")
    np.save(tmp_path / "x.npy", known.X)
    return tmp_path, known


def bring(world, vectors="x.npy", paths="paths.txt", **options):
    folder, _ = world
    paths = folder / paths if isinstance(paths, str) else paths
    return embed.import_features(
        folder / vectors, folder / "photos", folder / "cache", paths=paths, **options
    )


def test_imported_vectors_fit_search_and_judge_like_computed_ones(world):
    folder, known = world
    done = bring(world)
    assert (done.rows, done.imported, done.without) == (len(known), len(known), 0)
    features = embed.open(folder / "cache")
    assert features.paths.tolist() == known.paths.tolist()
    assert np.array_equal(features.X, known.X)
    assert np.array_equal(features.sha256, known.sha256), "rows know their photographs by content"
    ours, theirs = features.fit("logistic").evaluation, known.fit("logistic", name="again").evaluation
    assert np.array_equal(ours.probabilities, theirs.probabilities)
    photo = folder / "photos" / known.paths[3]
    assert features.similar(photo, k=3)["path"].tolist() == known.similar(photo, k=3)["path"].tolist()


def test_a_known_photograph_is_predicted_and_a_new_one_is_told_to_be_none(world):
    folder, known = world
    bring(world)
    features = embed.open(folder / "cache")
    features.fit("logistic")
    new = folder / "new.png"
    from PIL import Image

    Image.new("RGB", (40, 40), (9, 99, 199)).save(new)
    table = features.predict([folder / "photos" / known.paths[0], new])
    assert table["label"][0] is not None
    assert table["problem"][0] is None
    assert "nothing here can compute" in table["problem"][1]
    assert "x.npy" in table["problem"][1]
    assert "with vectors from x.npy" in report_page(review(features.cache))
    with pytest.raises(EmbedError, match="nothing here can compute"):
        features.explain(folder / "photos" / known.paths[0])


def test_again_changes_nothing_and_other_vectors_are_another_set(world):
    folder, known = world
    bring(world)
    before = sorted((file.name, file.read_bytes()) for file in (folder / "cache").rglob("part-*.h5"))
    again = bring(world)
    assert (again.imported, again.unchanged, again.removed) == (0, len(known), 0)
    assert sorted((file.name, file.read_bytes()) for file in (folder / "cache").rglob("part-*.h5")) == before
    np.save(folder / "x.npy", known.X + 1)
    other = bring(world)
    assert other.features != again.features
    assert len(list_features(folder / "cache")) == 2


def test_names_in_another_order_move_the_vectors(world):
    folder, known = world
    bring(world)
    names = list(known.paths)
    names[0], names[1] = names[1], names[0]
    done = bring(world, paths=names)
    assert (done.imported, done.unchanged) == (2, len(known) - 2)
    assert np.array_equal(embed.open(folder / "cache").X[[1, 0]], known.X[:2])


def test_rows_that_are_not_named_any_more_leave(world):
    folder, known = world
    bring(world, vectors="x.npy")
    photo = folder / "photos" / known.paths[0]
    photo.unlink()
    done = bring(world, missing="skip")
    assert (done.missing, done.removed, done.rows) == (1, 1, len(known) - 1)
    done = bring(world, missing="keep")
    assert (done.missing, done.rows) == (1, len(known))
    assert embed.open(folder / "cache").fit("logistic").evaluation.n_known


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".tsv"])
@pytest.mark.parametrize("numbered", [False, True])
def test_tables_with_vectors(world, suffix, numbered):
    import pandas as pd

    folder, known = world
    X = known.X[:, :12].astype(np.float32)
    if numbered:
        columns = {f"f{i}": X[:, i] for i in reversed(range(12))}
    else:
        columns = {"embedding": [row.tolist() for row in X]}
    table = pd.DataFrame({"label": "a", "file": known.paths.astype(str), **columns, "n": 3})
    if suffix == ".parquet":
        table.to_parquet(folder / f"t{suffix}")
    else:
        table.to_csv(folder / f"t{suffix}", sep="," if suffix == ".csv" else "\t", index=False)
    done = bring(world, f"t{suffix}", None)
    assert done.dimension == 12
    assert np.array_equal(embed.open(folder / "cache").X, X)


def test_what_embed_exports_comes_back(world):
    folder, known = world
    for name, paths in (("e.npy", "e.csv"), ("e.csv", None), ("e.parquet", None)):
        known.export(folder / name, overwrite=True)
        bring(world, name, paths)
        assert np.array_equal(embed.open(folder / "cache").X, known.X)


@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8", "<i2", "u1", "?"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_every_kind_of_number(world, dtype, order):
    folder, known = world
    X = np.asarray(np.abs(known.X[:, :7]) * 3, dtype=dtype, order=order)
    np.save(folder / "x.npy", X)
    done = bring(world)
    assert done.dtype == ("float16" if dtype == "<f2" else "float32")
    assert np.array_equal(embed.open(folder / "cache").X, X.astype(np.float32))


def test_names_are_matched_however_they_are_spelt(world):
    folder, known = world
    (folder / "paths.txt").write_bytes(
        b"\xef\xbb\xbf" + "\r\n".join(f"/data/me/photos/{name}" for name in known.paths).encode()
    )
    assert bring(world).imported == len(known)
    (folder / "paths.json").write_text(json.dumps([name.replace("/", "\\") for name in known.paths]))
    assert bring(world, paths="paths.json").unchanged == len(known)
    np.save(folder / "paths.npy", known.paths.astype(str))
    assert bring(world, paths="paths.npy").unchanged == len(known)
    (folder / "paths.csv").write_text("\n".join(known.paths))
    assert bring(world, paths="paths.csv").unchanged == len(known)
    (folder / "paths.csv").write_text(
        "n,image\n" + "\n".join(f"{i},{name}" for i, name in enumerate(known.paths))
    )
    assert bring(world, paths="paths.csv").unchanged == len(known)


class Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('ran')",))


def _header(shape, dtype="<f4", order=False):
    stream = io.BytesIO()
    npy.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": order, "shape": shape})
    return stream.getvalue()


def _objects():
    stream = io.BytesIO()
    npy.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": (48,)})
    return stream.getvalue() + pickle.dumps(np.array([Bomb()] * 48, object))


BAD_FILES = {
    "objects": (_objects, "objects"),
    "nothing": (lambda: b"", "no .npy file"),
    "text": (lambda: b"hello" * 99, "no .npy file"),
    "cut header": (lambda: _header((48, 4))[:30], "no .npy file"),
    "bad header": (lambda: b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f4'}", "no .npy file"),
    "called header": (
        lambda: b"\x93NUMPY\x01\x00\x20\x00" + b"__import__('os').abort()        ",
        "no .npy file",
    ),
    "short": (lambda: _header((48, 4)) + bytes(48 * 4 * 4 - 1), "cut short"),
    "giant": (lambda: _header((1 << 62, 1 << 10)) + bytes(64), "cut short"),
    "wide": (lambda: _header((1, 1 << 40)) + bytes(64), "transposed"),
    "one axis": (lambda: _header((48,)) + bytes(48 * 4), "shape"),
    "three axes": (lambda: _header((48, 2, 2)) + bytes(48 * 16), "shape"),
    "no rows": (lambda: _header((0, 4)), "empty"),
    "no columns": (lambda: _header((48, 0)), "empty"),
    "complex": (lambda: _header((48, 4), "<c8") + bytes(48 * 32), "real numbers"),
    "strings": (lambda: _header((48, 4), "<U3") + bytes(48 * 48), "real numbers"),
    "dates": (lambda: _header((48, 4), "<M8[s]") + bytes(48 * 32), "real numbers"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_file_that_holds_no_matrix_is_one_sentence(world, kind):
    folder, _ = world
    make, words = BAD_FILES[kind]
    (folder / "x.npy").write_bytes(make())
    with pytest.raises(InputError, match=words) as refused:
        bring(world)
    assert "\n" not in str(refused.value)
    assert not (folder / "cache").exists() or not list_features(folder / "cache")


def test_other_rows_than_names_are_refused(world):
    _, known = world
    with pytest.raises(InputError, match="48 rows and there are 47 names"):
        bring(world, paths=list(known.paths[:-1]))
    with pytest.raises(InputError, match=r"Rows 1 and 48 are both of"):
        bring(world, paths=[*known.paths[:-1], known.paths[0]])
    with pytest.raises(InputError, match=r"1 of 48 photographs are not in .*no-such.jpg.*row 48"):
        bring(world, paths=[*known.paths[:-1], "no-such.jpg"])
    with pytest.raises(InputError, match="may be"):
        bring(world, paths=[name.rpartition("/")[2] for name in known.paths])


def test_numbers_that_are_none_are_told_with_their_row(world):
    folder, known = world
    for value in (np.nan, np.inf, 1e300):
        X = known.X.astype(np.float64)
        X[5, 3] = X[7, 1] = value
        np.save(folder / "x.npy", X)
        with pytest.raises(InputError, match=rf"2 of 48 rows.*row 6, '{known.paths[5]}'"):
            bring(world)
    assert not (folder / "cache").exists() or not list_features(folder / "cache")


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["[1, 2]", "[1, 2, 3]"], "one length"),
        (["[1, 2]", ""], "one length"),
        (["[1, 2]", "[1 ... 2]"], "one length"),
        (["a", "b"], "no column of vectors"),
    ],
)
def test_tables_whose_vectors_are_none(world, cells, words):
    folder, known = world
    rows = "\n".join(f'{path},"{cell}"' for path, cell in zip(known.paths, cells * 24, strict=True))
    (folder / "t.csv").write_text("path,v\n" + rows)
    with pytest.raises(InputError, match=words):
        bring(world, "t.csv", None)


def test_parquet_with_gaps_or_several_columns(world):
    import pyarrow as pa
    from pyarrow import parquet

    folder, known = world
    paths = pa.array(known.paths.astype(str))
    for vectors in (
        [[1.0, 2.0]] * 47 + [None],
        [[1.0, 2.0]] * 47 + [[1.0]],
        [[1.0, 2.0]] * 47 + [[1.0, None]],
    ):
        parquet.write_table(pa.table({"path": paths, "v": pa.array(vectors)}), folder / "t.parquet")
        with pytest.raises(InputError, match="column 'v'"):
            bring(world, "t.parquet", None)
    good = pa.array([[1.0, 2.0]] * 48)
    parquet.write_table(pa.table({"path": paths, "v": good, "w": good}), folder / "t.parquet")
    with pytest.raises(UsageError, match=r"vector_column is needed.*'v', 'w'"):
        bring(world, "t.parquet", None)
    assert bring(world, "t.parquet", None, vector_column="w").rows == 48
    parquet.write_table(pa.table({"what": paths, "v": good}), folder / "t.parquet")
    with pytest.raises(UsageError, match="path_column is needed"):
        bring(world, "t.parquet", None)
    (folder / "t.parquet").write_bytes((folder / "t.parquet").read_bytes()[:-200])
    with pytest.raises(InputError, match="Parquet"):
        bring(world, "t.parquet", None)


def test_a_large_array_takes_little_memory(world):
    folder, _ = world
    rows, width = 48, 1 << 19
    with (folder / "x.npy").open("wb") as stream:
        stream.write(_header((rows, width)))
        stream.truncate(stream.tell() + rows * width * 4)
    tracemalloc.start()
    try:
        bring(world)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 90e6, "of 100 MB no more than some blocks are in memory"
