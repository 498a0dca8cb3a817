"""The page of groups, and the report without labels: what there is to see is there, and nobody is shut out."""

import shutil

import pytest
from pages import DECODED, PHONE, Page

from embed import demo, files
from embed.api import label, review
from embed.backbones import Network
from embed.cache import open_features
from embed.extract import FeatureOptions, extract_features
from embed.labels import of
from embed.report import groups_page, report_page, sections
from embed.search import clusters, keep_groups

WIDE = {"width": 1400, "height": 1000}
HOSTILE = '"><img src=x onerror=alert(1)> <script>alert(2)<'
LONG = "w" * 240 + ".jpg"


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    folder = tmp_path_factory.mktemp("groups")
    demo.draw(folder / "drawn", train=20, test=1)
    (folder / "photos").mkdir()
    for file in sorted((folder / "drawn" / "train").rglob("*.jpg")):
        shutil.copy(file, folder / "photos")
    shutil.copy(folder / "photos/sun-000.jpg", folder / "photos" / f"{HOSTILE}.jpg")
    shutil.copy(folder / "photos/sun-001.jpg", folder / "photos" / LONG)
    extract_features(folder / "photos", folder / "cache", FeatureOptions(network=Network("tiny")))
    return open_features(folder / "cache")


@pytest.fixture(scope="module")
def page(features):
    found = clusters(features, 2)
    keep_groups(features, found)
    label(features, ["1"], HOSTILE)
    return groups_page(features, found, of(features, "hand"))


@pytest.fixture(scope="module")
def report(features):
    return report_page(review(features, labels="regex:(no such name)"))


def test_each_group_has_its_centre_its_edge_and_its_name(page, features):
    read = Page(page)
    assert read.open == [] and read.ids("div")[0::1].count("group-1") == 1 and "group-2" in read.ids("div")
    assert f"1 {HOSTILE[:12]} … {HOSTILE[-12:]}" in read.text
    assert "At the edge of group 1" in read.text and "embed label 1 NAME" in read.text
    shown = [name for name in read.attributes("title") if name]
    first = clusters(features, 2).groups[0]
    assert shown[0] == features.paths[first.rows[0]]
    edge = sections.MOST_OF_GROUP // sections.EDGE
    assert shown[sections.MOST_OF_GROUP - 1] == features.paths[first.rows[-1]]
    assert shown[sections.MOST_OF_GROUP - edge] == features.paths[first.rows[-edge]]


def test_a_report_without_labels_says_what_to_do_next(report):
    read = Page(report)
    assert read.open == [] and read.ids() == [
        "next",
        "notes",
        "groups",
        "duplicates",
        "sample",
        "methods",
        "recipe",
    ]
    assert "No classifier has been fitted yet" in read.text and "122 photographs in no classes" in read.text
    for command in ("embed cluster", "embed label 1 NAME", "embed similar", "embed duplicates", "embed map"):
        assert command in read.text


def test_a_report_with_labels_and_no_model_leads_to_fit(features):
    read = Page(report_page(review(features, labels=r"regex:([a-z]+)-\d+\.jpg$")))
    assert read.ids() == ["next", "notes", "groups", "duplicates", "sheets", "methods", "recipe"]
    assert "embed fit" in read.text and "embed cluster" not in read.text


def test_nothing_of_a_large_set_is_too_much_for_a_page(features):
    found = clusters(features, 100)
    read = Page(groups_page(features, found, of(features, "hand")))
    assert "60 of 100 groups, the largest first" in read.text
    assert len([tag for tag, _ in read.elements if tag == "img"]) <= 60 * sections.LEAST_OF_GROUP


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, WIDE])
@pytest.mark.parametrize("which", ["page", "report"])
def test_a_page_fits_and_everybody_can_use_it(which, viewport, scheme, tmp_path, open_tab, request):
    files.write(tmp_path / "page.html", request.getfixturevalue(which))
    tab = open_tab(tmp_path / "page.html", viewport=viewport, color_scheme=scheme, bypass_csp=True)
    widths = tab.evaluate(DECODED)
    assert len(widths) > 48 and min(widths) > 0
    assert tab.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is not installed")
    violations = axe.Axe().run(tab).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in violations] == []
