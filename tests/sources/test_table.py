"""Tables that name photographs, or hold them."""

import pytest
from archive_samples import COLOURS, photograph, write_parquet

from embed import sources
from embed.errors import InputError, UsageError
from embed.sources import Failed, Item, Listed, listed


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBED_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(listed, "_recent", type(listed._recent)())


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for colour in COLOURS:
        file = tmp_path / "photos" / f"{colour}.png"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(photograph(colour))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


def read(source):
    items = [one for one in source.find() if isinstance(one, Item)]
    return {
        item.name: content if isinstance(content, str) else content.data
        for item, content in source.read(items)
    }


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_column_of_paths_names_the_photographs_and_the_others_describe_them(form, folder):
    rows = [
        ("photos/red.png", "warm", "1"),
        ("photos/blue.png", "cold", ""),
        ("photos/none.png", "cold", "3"),
    ]
    if form == "csv":
        file = folder / "table.csv"
        file.write_text("file name,label,site\n" + "".join(",".join(row) + "\n" for row in rows))
    else:
        columns = dict(zip(("file name", "label", "site"), map(list, zip(*rows, strict=True)), strict=True))
        file = write_parquet(folder / "table.parquet", columns)
    source = sources.open(file)
    assert read(source) == {"photos/blue.png": photograph("blue"), "photos/red.png": photograph("red")}
    (missing,) = (one for one in source.find() if isinstance(one, Failed))
    assert (missing.place, missing.gone) == ("photos/none.png", True)
    assert dict(source.described())["photos/red.png"] == {"label": "warm", "site": "1"}
    assert dict(source.described())["photos/blue.png"] == {"label": "cold"}
    assert source.again == str(file) and source.root == folder
    assert source.address("photos/red.png") == folder / "photos/red.png"


def test_a_table_that_names_none_is_refused_in_a_sentence(folder):
    (folder / "table.csv").write_text("")
    with pytest.raises(InputError, match=r"table\.csv is empty\.$"):
        sources.open(folder / "table.csv")
    (folder / "table.csv").write_text("path,label\n")
    with pytest.raises(InputError, match=r"names no photographs"):
        sources.open(folder / "table.csv")
    (folder / "table.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match=r"cannot be read as Parquet"):
        sources.open(folder / "table.parquet")
    (folder / "photos.csv").write_text("path\nphotos/red.png\n")
    with pytest.raises(UsageError, match="a table is a source by itself"):
        sources.open([folder / "photos.csv", folder / "photos"])


@pytest.mark.parametrize("pairs", [False, True], ids=["bytes", "pairs"])
def test_a_column_of_bytes_holds_the_photographs(pairs, folder):
    pictures = [photograph(colour) for colour in COLOURS]
    column = [
        {"bytes": data, "path": f"p/{colour}.png"} for colour, data in zip(COLOURS, pictures, strict=True)
    ]
    columns = {"image": column if pairs else pictures, "label": [0, 1, 1, 0], "site": ["A", None, "B", "B"]}
    file = write_parquet(folder / "train.parquet", columns, rows_in_group=3)
    source = sources.open(file)
    names = [f"p/{colour}.png" for colour in COLOURS] if pairs else [f"{row:08}" for row in range(4)]
    assert read(source) == dict(zip(names, pictures, strict=True))
    assert [one for one in source.find() if isinstance(one, Listed)] == [Listed("")]
    said = dict(source.described())
    assert said[names[0]] == {"label": "0", "site": "A"} and said[names[1]] == {"label": "1"}
    assert sources.read(source.address(names[3])).data == pictures[3]


def test_the_names_of_classes_stand_for_their_numbers(folder):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    about = b'{"info": {"features": {"label": {"names": ["ants", "bees"], "_type": "ClassLabel"}}}}'
    table = pa.table({"image": [photograph("red")], "label": [1]}).replace_schema_metadata(
        {b"huggingface": about}
    )
    parquet.write_table(table, folder / "train.parquet")
    assert dict(sources.open(folder / "train.parquet").described()) == {"00000000": {"label": "bees"}}


def test_rows_without_a_photograph_and_names_that_are_no_paths(folder):
    column = [{"bytes": photograph("red"), "path": "../../x.png"}, {"bytes": None, "path": "b.png"}]
    file = write_parquet(folder / "train.parquet", {"image": column})
    source = sources.open(file)
    assert read(source) == {"00000000": photograph("red")}
    assert [(one.place, one.reason) for one in source.find() if isinstance(one, Failed)] == [
        ("00000001", "is empty in the table")
    ]


@pytest.mark.parametrize("at", [0.2, 0.5, 0.8])
def test_a_damaged_parquet_file_fails_in_a_sentence(at, folder):
    file = write_parquet(
        folder / "train.parquet", {"image": [photograph((i, 0, 0), 9 + i) for i in range(50)]}
    )
    data = bytearray(file.read_bytes())
    place = int(at * len(data))
    data[place : place + 200] = bytes(200)
    file.write_bytes(data)
    try:
        found = read(sources.open(file))
    except InputError as error:
        assert "cannot be read as Parquet" in str(error)
    else:  # the bytes of a photograph, which the decoder judges
        assert len(found) == 50
