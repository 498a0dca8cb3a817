"""Another source and another executor than the ordinary ones: nothing else in an extraction knows which it has."""

import threading

import numpy as np
import pytest
from made_sources import Album, Backwards
from waiting import DEADLINE_S

from embed.backbones import Network
from embed.cache import open_features
from embed.extract import FeatureOptions, extract_features

TINY = FeatureOptions(network=Network("tiny"))
RED, GREEN, BLUE = (200, 30, 30), (20, 180, 40), (10, 40, 220)


@pytest.fixture
def album(tmp_path):
    return Album(tmp_path / "album", {"1": {"a": RED, "b": GREEN}, "2": {"a": BLUE, "c": (9, 9, 9)}})


def rows(cache):
    features = open_features(cache)
    return dict(zip(features.paths.tolist(), features.X.round().astype(int).tolist(), strict=True))


def test_photographs_need_not_lie_in_a_folder(album, backbone, tmp_path):
    summary = extract_features(album, tmp_path / "cache", TINY)
    assert (summary.images, summary.extracted) == (4, 4)
    assert rows(tmp_path / "cache") == {"1/a": [*RED], "1/b": [*GREEN], "2/a": [*BLUE], "2/c": [9, 9, 9]}
    album.read_groups.clear()
    assert extract_features(album, tmp_path / "cache", TINY).reused == 4
    assert album.read_groups == []


def test_rows_leave_where_their_place_was_listed_without_them(album, backbone, tmp_path):
    extract_features(album, tmp_path / "cache", TINY)
    del album.pages["1"]["a"], album.pages["2"]["a"]
    album.torn.add("2")
    summary = extract_features(album, tmp_path / "cache", TINY)
    assert (summary.reused, summary.removed, summary.unreachable, summary.failed) == (1, 1, 2, 1)
    assert list(rows(tmp_path / "cache")) == ["1/b", "2/a", "2/c"]
    del album.pages["2"]
    assert extract_features(album, tmp_path / "cache", TINY).removed == 2


def test_a_search_that_breaks_off_removes_nothing(album, backbone, tmp_path):
    extract_features(album, tmp_path / "cache", TINY)
    del album.pages["1"]["a"]
    find = album.find
    album.find = lambda: (told for told, _ in zip(find(), range(4), strict=False))
    extract_features(album, tmp_path / "cache", TINY)
    # Page 1 was listed to its end; of the second, nothing is known.
    assert list(rows(tmp_path / "cache")) == ["1/b", "2/a", "2/c"]


def test_photographs_that_follow_each_other_are_read_together(album, backbone, tmp_path):
    album.pages = {"1": {f"{number:02}": (number, 0, 0) for number in range(40)}}
    extract_features(album, tmp_path / "cache", TINY)
    assert sorted(name for group in album.read_groups for name in group) == sorted(rows(tmp_path / "cache"))
    assert max(map(len, album.read_groups)) <= 16
    for group in album.read_groups:
        assert group == [f"1/{number:02}" for number in range(int(group[0][2:]), int(group[-1][2:]) + 1)]


def test_results_may_come_from_elsewhere_and_in_any_order(album, tmp_path):
    summary = extract_features(album, tmp_path / "cache", TINY, executor=Backwards())
    assert (summary.extracted, summary.bottleneck) == (4, None)
    first = rows(tmp_path / "cache")
    assert first == {"1/a": [*RED], "1/b": [*GREEN], "2/a": [*BLUE], "2/c": [9, 9, 9]}
    album.pages = {"2": {"z": RED, **album.pages["2"]}, "1": {"b": GREEN}}
    summary = extract_features(album, tmp_path / "cache", TINY, executor=Backwards())
    assert (summary.extracted, summary.reused, summary.removed) == (0, 4, 1)
    assert np.isin(["2/z"], list(rows(tmp_path / "cache"))).all()


def test_photographs_are_computed_while_others_are_still_being_looked_for(album, backbone, tmp_path):
    album.pages = {"1": {f"{number:03}": (number % 256, number // 256, 0) for number in range(600)}}
    find, computed = album.find, threading.Event()

    def waiting():
        for number, told in enumerate(find()):
            assert number != 500 or computed.wait(DEADLINE_S)
            yield told

    def notice(progress):
        if progress.extracted:
            assert progress.total in (None, 600)
            computed.set()

    album.find = waiting
    assert extract_features(album, tmp_path / "cache", TINY, progress=notice).extracted == 600
