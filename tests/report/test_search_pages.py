"""The pages of the search in a browser: every picture is there, and nothing complains."""

import shutil

import pytest
from pages import DECODED, PHONE, SCREEN

from embed import demo, files, learn, search
from embed.backbones import Network
from embed.cache import open_features
from embed.extract import FeatureOptions, embed_files, extract_features
from embed.report import search_pages

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


def test_where_nothing_is_similar_enough_the_closest_is_shown(features):
    files = [features.root / "test/sun/sun-000.jpg"]
    (found,) = search.similar(features, embed_files(files, features), search.SimilarOptions(threshold=0.9999))
    (closest,) = search.similar(features, embed_files(files, features), search.SimilarOptions(k=1))
    assert found.neighbours == [] and found.closest == closest.neighbours[0] and closest.closest is None
    page = search_pages.similar_page(features.root, [found])
    assert f"Nothing is that similar; the closest has {found.closest.similarity:.3f}" in page
    assert page.count('<li class="card') == 2


def test_where_no_label_stands_out_the_page_says_so(features):
    page = search_pages.label_issues_page(features.root, learn.LabelIssues((), 54), 10)
    assert "No label stands out as wrong among the 54 labels that were judged." in page
    assert "<section>" not in page


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
