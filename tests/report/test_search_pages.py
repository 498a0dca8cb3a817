"""The pages of the search in a browser: every picture is there, nothing complains, the map shows what one points at."""

import json
import shutil

import pytest
from pages import DECODED, PHONE, SCREEN

from embed import demo, files, learn, search
from embed.backbones import Network
from embed.cache import open_features
from embed.extract import FeatureOptions, embed_files, extract_features
from embed.report import search_pages
from embed.report.page import visible

pytestmark = pytest.mark.browser

HOSTILE = '"><img src=x onerror=alert(1)> & <script>alert(2)</script>.jpg'.replace("/", "")
TURNED = "a\u202egpj.\u05d0\u2066.jpg"  # turns around what follows it
LONG = "w" * 240 + ".jpg"


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    pictures = folder / "pictures"
    demo.draw(pictures, train=6, test=3)
    for name in (HOSTILE, TURNED, LONG):
        shutil.copy(pictures / "test/fish/fish-000.jpg", pictures / "train/fish" / name)
    extract_features(pictures, folder / "cache", FeatureOptions(network=Network("tiny")))
    return open_features(folder / "cache")


def queried(features):
    files = [features.root / "test/fish/fish-000.jpg", features.root / "no such.jpg"]
    found = list(search.similar(features, embed_files(files, features), search.SimilarOptions(k=5)))
    return search_pages.similar_page(features.root, found)


GALLERIES = {
    "similar": (queried, 6),
    "duplicates": (lambda f: search_pages.duplicates_page(f.root, search.duplicates(f, 0.99), 50), 2),
    "outliers": (lambda f: search_pages.outliers_page(f.root, search.outliers(f)[:7], 7), 7),
    "mislabelled": (lambda f: search_pages.label_issues_page(f.root, learn.mislabelled(f), 4), 1),
}


@pytest.mark.parametrize("name", GALLERIES)
def test_a_gallery_shows_its_pictures_and_fits_a_phone(name, features, tmp_path, open_tab):
    make, least = GALLERIES[name]
    files.write(tmp_path / "page.html", make(features))
    tab = open_tab(tmp_path / "page.html", viewport=PHONE)
    widths = tab.evaluate(DECODED)
    assert len(widths) >= least and min(widths) > 0
    assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert tab.locator(".card .path").count() >= len(widths)


def test_hostile_names_are_shown_as_they_are(features, tmp_path, open_tab):
    files.write(tmp_path / "page.html", GALLERIES["duplicates"][0](features))
    tab = open_tab(tmp_path / "page.html", viewport=SCREEN)
    names = tab.locator(".card .path").all_inner_texts()
    assert f"train/fish/{HOSTILE}" in names
    assert "train/fish/a\\u202egpj.\u05d0\\u2066.jpg" in names
    assert tab.get_by_title(f"train/fish/{LONG}").count() == 1
    assert max(map(len, names)) < 130


def test_pointing_at_the_map_shows_the_photograph(features, tmp_path, open_tab):
    placed = search.layout(features, limit=1000, seed=0)
    files.write(tmp_path / "map.html", search_pages.map_page(features.root, placed))
    tab = open_tab(tmp_path / "map.html", viewport=SCREEN)
    assert not tab.locator("#tip").is_visible()
    assert "\u202e" not in json.dumps(tab.evaluate("data"), ensure_ascii=False)
    canvas = tab.locator("#map").bounding_box()
    paths = [visible(path) for path in placed.paths]
    for i in (0, *(placed.paths.index(f"train/fish/{name}") for name in (HOSTILE, TURNED))):
        x, y = tab.evaluate(f"place({i})")
        assert 0 < x < canvas["width"] and 0 < y < canvas["height"]
        tab.mouse.move(canvas["x"] + x, canvas["y"] + y)
        assert tab.locator("#tip").is_visible()
        shown = paths.index(tab.locator("#tip .path").inner_text())
        assert tab.evaluate(f"place({shown})") == pytest.approx([x, y], abs=1)
        assert tab.locator("#tip .name").inner_text() == placed.labels[shown]
        assert min(tab.evaluate(DECODED)) > 0
    # The middle of what is drawn is the middle of the canvas.
    places = tab.evaluate("data.x.map((_, i) => place(i)[0])")
    assert min(places) > canvas["width"] / 2 - canvas["height"] / 2
    # Zooming keeps what is under the pointer there; a label that was clicked is hidden.
    before = tab.evaluate("place(0)")
    tab.mouse.move(canvas["x"] + before[0], canvas["y"] + before[1])
    tab.mouse.wheel(0, -400)
    tab.wait_for_function("scale > 2")
    assert tab.evaluate("place(0)") == pytest.approx(before, abs=2)  # a wheel is at whole pixels
    tab.locator("#legend button").first.click()
    assert tab.evaluate("hidden.size") == 1
    tab.mouse.move(5, 5)
    assert not tab.locator("#tip").is_visible()


def test_a_page_shows_as_many_as_asked_for_and_says_of_how_many(features):
    groups, doubts = search.duplicates(features, 0.95), learn.mislabelled(features)
    assert len(groups) > 1 and len(doubts) > 1
    pages = {
        search_pages.duplicates_page(features.root, groups, 1): (len(groups[0].photographs), len(groups)),
        search_pages.label_issues_page(features.root, doubts, 1): (1, len(doubts)),
        search_pages.outliers_page(features.root, search.outliers(features), 3): (3, None),
    }
    for content, (cards, of) in pages.items():
        assert content.count('<li class="card') == cards
        assert of is None or (f"{of} " in content and "the first 1 shown" in content)
