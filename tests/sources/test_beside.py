"""What lies beside a photograph in WebDataset's layout."""

import pytest
from archive_samples import photograph, write_tar, write_zip

from embed import sources
from embed.sources import listed


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBED_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(listed, "_recent", type(listed._recent)())


def described(file):
    return dict(sources.open(file).described())


@pytest.mark.parametrize("write", [write_tar, write_zip], ids=["tar", "zip"])
def test_classes_objects_and_texts_go_with_the_photograph_of_their_key(write, tmp_path):
    said = b'{"site": "A", "year": 2020, "ok": true, "boxes": [1], "label": "from json"}'
    file = write(
        tmp_path / f"photos.{write.__name__[6:]}",
        {
            "d/1.cls": b"ants\n",
            "d/1.json": said,
            "d/1.jpg": photograph("red"),
            "d/1.seg.png": photograph("red"),
            "d/2.jpg": photograph("blue"),
            "d/2.txt": b"a bee\nin flight",
            "3.jpg": photograph("blue"),
        },
    )
    of_first = {"label": "ants", "site": "A", "year": "2020", "ok": "true"}
    assert described(file) == {"d/1.jpg": of_first, "d/1.seg.png": of_first, "d/2.jpg": {"text": "a bee"}}


def test_what_cannot_be_understood_says_nothing(tmp_path):
    deep = b"[" * 50_000
    many = ("{" + ",".join(f'"k{i}": {i}' for i in range(3000)) + "}").encode()
    file = write_tar(
        tmp_path / "photos.tar",
        {
            "1.jpg": photograph("red"),
            "1.json": deep,
            "2.jpg": photograph("red"),
            "2.json": b"\xff\xfe{",
            "3.jpg": photograph("red"),
            "3.json": many,
            "4.jpg": photograph("red"),
            "4.txt": b"x" * (65 << 10),
            "5.jpg": photograph("red"),
            "5.txt": b"y" * 60_000,
        },
    )
    found = described(file)
    assert set(found) == {"3.jpg", "5.jpg"}
    assert len(found["3.jpg"]) == 64 and found["5.jpg"] == {"text": "y" * 200}
