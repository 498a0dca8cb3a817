"""When and where photographs were taken, as columns; and the groups that follow from that."""

import csv

import pytest
from PIL import ExifTags, Image

from embed import api, labels
from embed.api import Features
from embed.backbones import Network
from embed.cache import exif, open_features, verify
from embed.errors import CacheDamagedError, UsageError
from embed.extract import FeatureOptions, RunOptions, extract_features
from embed.extract import exif as noting
from embed.labels.moments import bursts
from embed.learn import FitOptions, fit, groups, splits

TAKEN = {
    "a/1.jpg": "2024:05:01 12:00:00",
    "a/2.jpg": "2024:05:01 12:00:04",
    "a/3.jpg": "2024:05:01 12:00:30",
    "b/1.jpg": "2024:05:02 09:00:00",
    "b/2.jpg": "2024:05:02 09:00:09",
    "b/3.jpg": None,
}


def shoot(file, taken, shade):
    file.parent.mkdir(parents=True, exist_ok=True)
    tags = Image.Exif()
    if taken is not None:
        tags[ExifTags.Base.Model] = "X100"
        tags.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = taken
    Image.new("RGB", (40, 30), (shade, 255 - shade, 40)).save(file, exif=tags)


@pytest.fixture
def data(tmp_path, backbone):
    for number, (name, taken) in enumerate(TAKEN.items()):
        shoot(tmp_path / "data" / name, taken, 30 * number)
    return tmp_path / "data"


def extract(data, **options):
    summary = extract_features(
        data, data.parent / "cache", FeatureOptions(network=Network("tiny")), RunOptions(**options)
    )
    return open_features(data.parent / "cache", summary.features)


def test_time_and_camera_are_columns_where_they_were_asked_for(data):
    features = extract(data)
    assert not features.exif and not (features.folder / exif.NAME).exists()
    with pytest.raises(UsageError, match="group is day, and when the photographs were taken is not known"):
        fit(features, FitOptions(classifier="dummy", group="day"))
    features = extract(data, exif=True)
    table = Features(features).to_dataframe().set_index("path")
    assert table.loc["a/1.jpg", ["taken", "camera", "day", "width"]].tolist() == [
        "2024-05-01T12:00:00",
        "X100",
        "2024-05-01",
        "40",
    ]
    assert table.loc["b/3.jpg", ["taken", "camera", "day", "burst", "height"]].tolist() == [None] * 4 + ["30"]
    with open(features.folder / exif.NAME, newline="", encoding="utf-8") as stream:
        assert len(list(csv.reader(stream))) == 7
    second = Features(features).select(where="taken >= '2024-05-02'")
    assert second.paths.tolist() == ["b/1.jpg", "b/2.jpg"]
    assert Features(features).select(where="width == 40 and camera == 'X100'").paths.tolist() == [
        "a/1.jpg",
        "a/2.jpg",
        "a/3.jpg",
        "b/1.jpg",
        "b/2.jpg",
    ]


def test_once_asked_for_it_is_kept_up_to_date_and_nothing_is_read_twice(data, monkeypatch):
    extract(data, exif=True)
    read, told = [], noting._told
    monkeypatch.setattr(noting, "_told", lambda *asked: read.append(asked[2]) or told(*asked))
    extract(data)
    assert read == []
    shoot(data / "c/new.jpg", "2024:06:01 00:00:00", 250)
    (data / "a/1.jpg").unlink()
    (data / "a/2.jpg").rename(data / "a/renamed.jpg")
    features = extract(data)
    assert read == ["c/new.jpg"]
    assert len(exif.read(features.folder)) == 6
    times = dict(zip(features.paths, features.exif["taken"], strict=True))
    assert times["c/new.jpg"] == "2024-06-01T00:00:00" and times["a/renamed.jpg"] == "2024-05-01T12:00:04"


def test_days_and_bursts_stay_together(data):
    features = extract(data, exif=True)
    known = Features(features).to_dataframe().set_index("path")
    assert known["burst"].dropna().nunique() == 3
    assert known.loc["a/1.jpg", "burst"] == known.loc["a/2.jpg", "burst"] != known.loc["a/3.jpg", "burst"]
    assert known.loc["b/1.jpg", "burst"] == known.loc["b/2.jpg", "burst"]
    for rule in ("day", "burst"):
        keys = splits.keys_of(features.sha256, groups.of(features, labels.of(features), rule))
        of = dict(zip(features.paths, keys, strict=True))
        assert of["a/1.jpg"] == of["a/2.jpg"] and of["b/1.jpg"] == of["b/2.jpg"] != of["b/3.jpg"]
        assert (of["a/1.jpg"] == of["a/3.jpg"]) == (rule == "day")


def test_bursts_are_of_one_camera_and_end_after_a_while():
    assert bursts(
        ["2024-05-01T12:00:08", None, "2024-05-01T12:00:00", "2024-05-01T12:00:04"], ["A", "A", "A", "B"]
    ) == [
        "A 2024-05-01T12:00:00",
        None,
        "A 2024-05-01T12:00:00",
        "B 2024-05-01T12:00:04",
    ]
    long = [f"2024-05-01T12:00:{second:02d}" for second in range(0, 60, 9)]
    assert len(set(bursts(long, [None] * len(long)))) == 1  # from one to the next


def test_a_damaged_table_is_told_verified_and_written_anew(data):
    features = extract(data, exif=True)
    file = features.folder / exif.NAME
    good = file.read_bytes()
    file.write_bytes(good.replace(b"X100", b"X101", 1))
    with pytest.raises(CacheDamagedError, match=r"exif\.csv is damaged"):
        Features(open_features(features.folder.parent, features.name)).to_dataframe()
    report = verify(api.find_features(features.folder.parent))
    assert list(report.damaged) == [exif.NAME]
    extract(data)
    assert file.read_bytes() == good


def test_the_command_notes_it(data, run_embed):
    run_embed("extract", data, "--backbone", "tiny", "--exif", "--cache", "other", check=True)
    table = run_embed(
        "export", "out.csv", "--where", "day == '2024-05-02'", "--cache", "other", cwd=data.parent, check=True
    )
    assert "out" in table.stdout
