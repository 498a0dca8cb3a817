"""The report: everything that was measured is on one page, which needs nothing but itself and trusts nobody."""

import base64
import dataclasses
import json
import os
import re
import shutil
import xml.etree.ElementTree as ElementTree
from urllib.parse import unquote_to_bytes

import pytest
from pages import PHONE, Page

from embed import demo
from embed.api import review
from embed.backbones import Network
from embed.cache import open_features
from embed.extract import FeatureOptions, extract_features
from embed.learn import FitOptions, fit
from embed.report import report_page
from embed.report.methods import methods
from embed.report.page import visible

TINY = FeatureOptions(network=Network("tiny"))
HOSTILE = [b"<script>alert(1)<", b'" onerror="alert(1)', b"caf\xe9\n", b"\xe2\x80\xaegpj"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Two classes with hostile names, one file that is no picture, a copy across the split, and a dense head."""
    folder = tmp_path_factory.mktemp("report")
    demo.draw(folder / "drawn", train=10, test=6)
    pictures = os.fsencode(folder / "pictures")
    for split in (b"train", b"test"):
        for label, drawing in ((b"<b>fish</b>", b"fish"), (b"caf\xe9 & star", b"house")):
            source = os.path.join(os.fsencode(folder), b"drawn", split, drawing)
            place = os.path.join(pictures, split, label)
            os.makedirs(place)
            for i, name in enumerate(sorted(os.listdir(source))):
                hostile = HOSTILE[i] if i < len(HOSTILE) else b""
                shutil.copy(os.path.join(source, name), os.path.join(place, hostile + name))
    train, test = (os.path.join(pictures, split, b"<b>fish</b>") for split in (b"train", b"test"))
    shutil.copy(os.path.join(train, b"fish-009.jpg"), os.path.join(test, b"copy.jpg"))
    with open(os.path.join(train, b"bad <i>.jpg"), "wb") as file:
        file.write(b"\xff\xd8\xff no picture")
    extract_features(folder / "pictures", folder / "cache", TINY)
    fit(open_features(folder / "cache"), FitOptions(classifier="dense"))
    fit(open_features(folder / "cache"), FitOptions(threshold=0.4))
    return folder


@pytest.fixture(scope="module")
def page(drawn):
    return report_page(review(open_features(drawn / "cache")))


# ---- the whole page


def test_every_section_is_there_and_linked(page):
    read = Page(page)
    order = ["summary", "classes", "pairs", "losses", "wrong", "leakage"]
    order += ["sheets", "failures", "statistics", "methods", "recipe"]
    assert read.open == [] and [name for name in order if name in read.ids()] == read.ids()
    links = [found["href"][1:] for tag, found in read.elements if tag == "a" and found["href"][0] == "#"]
    assert list(dict.fromkeys(links)) == read.ids()
    assert set(order) - {"pairs", "wrong"} <= set(links)


def test_the_verdict_comes_first_and_names_the_worst_class(page, drawn):
    scores = review(open_features(drawn / "cache"), explained=0).scores
    right = int((scores.predictions["label"] == scores.predictions["predicted"]).sum())
    worst = scores.classes.sort_values("recall").iloc[0]
    section = Page(re.search(r'<section id="summary">.*?</section>', page, re.DOTALL).group())
    assert section.text.startswith(
        f"In short {right} of {len(scores.predictions)} right ; worst at {visible(worst['class'])}"
    )
    assert f"Of {worst['n']} photographs of" in section.text and "look nearly like one" in section.text
    assert section.text.index("right") < section.text.index("95% confidence")


def test_every_photograph_leads_to_its_file_and_is_called_by_its_name(page, drawn):
    read = Page(page)
    files = [found["href"] for tag, found in read.elements if tag == "a" and "file:" in found["href"]]
    assert files and all(file.startswith((drawn / "pictures").as_uri()) for file in files)
    assert os.path.isfile(os.fsencode(unquote_to_bytes(files[0].removeprefix("file://"))))
    alts = [
        found["alt"] for tag, found in read.elements if tag == "img" and "heat" not in found.get("class", "")
    ]
    assert alts and all(alts)


def test_a_number_of_the_matrix_opens_its_photographs(page, drawn):
    scores = review(open_features(drawn / "cache"), explained=0).scores
    table = scores.predictions
    read = Page(page)
    opened = {found["id"] for _, found in read.elements if "popover" in found}
    assert opened == set(read.attributes("popovertarget")) and len(opened) > 1
    cell = re.search(r'<div class="cell" popover id="cell-0-0">.*?</div>', page, re.DOTALL).group()
    first = scores.confusion.index[0]
    right = table[(table["label"] == first) & (table["predicted"] == first)]
    shown = Page(cell).attributes("title")
    assert len(shown) == min(12, len(right))
    assert shown[0] == visible(right.sort_values("probability")["path"].iloc[0])


def test_figures_for_statisticians_are_folded_and_can_be_kept(page):
    section = re.search(r'<section id="statistics">.*?</section>', page, re.DOTALL).group()
    assert section.index("<details>") < section.index("Brier score")
    kept = re.findall(r'href="data:image/svg\+xml;base64,([^"]+)" download="([^"]+)"', section)
    assert [name for _, name in kept] == ["scores.svg", "threshold.svg", "calibration.svg"]
    for content, _ in kept:
        assert ElementTree.fromstring(base64.b64decode(content)).tag == "{http://www.w3.org/2000/svg}svg"


def test_the_methods_cite_what_was_used(page, drawn):
    text = methods(review(open_features(drawn / "cache"), explained=0))
    words = Page(page).text
    assert text["text"] in words and all(one in words for one in text["references"])
    assert "Pedregosa" in text["references"][0] and "[1]" in text["text"] and "[2]" in text["text"]
    assert "logistic (softmax regression)" in text["text"] and "The random seed was 0." in text["text"]


def test_the_page_says_what_the_model_says(page, drawn):
    features = open_features(drawn / "cache")
    scores = review(features, explained=0).scores
    summary = scores.summary
    words = Page(page).text
    low, high = summary["accuracy_interval"]
    for share in (summary["accuracy"], summary["baseline_accuracy"], low, high, summary["balanced_accuracy"]):
        assert f"{share:.1%}" in words
    assert "threshold 0.40" in words and "logistic" in words and features.name in words
    assert scores.document["split"] in words
    assert all(note in words for note in scores.document["notes"] if note.isascii() and "\n" not in note)


def test_the_page_is_self_contained_and_hostile_names_do_nothing(page):
    read = Page(page)
    assert read.attributes("style") == [] and "unsafe" not in page
    assert "http:" not in page and "https:" not in page and "url(" not in page
    assert "default-src 'none'" in page and "script-src 'none'" in page
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in read.elements}
    assert "<b>fish" not in page and "<i>.jpg" not in page and "\u202e" not in page
    assert not any(name.startswith("on") for _, attributes in read.elements for name in attributes)
    sources = [attributes["src"] for tag, attributes in read.elements if tag == "img"]
    assert sources and all(source.startswith(("data:image/jpeg;", "data:image/png;")) for source in sources)
    page.encode("utf-8")  # bytes that are no UTF-8 are written out as escapes
    assert "bad <i>.jpg" in read.text and "\\udce9" in read.text


def test_top_losses_carry_the_maps_of_both_classes(page):
    heat = [a["class"] for tag, a in Page(page).elements if tag == "img" and "heat" in a.get("class", "")]
    assert heat.count("heat predicted") == heat.count("heat true") > 0
    assert "labelled" in Page(page).text and "; the model says" in page
    assert "class-activation map (exact)" in page


def test_copies_on_both_sides_of_the_split_are_shown(drawn, page):
    near = review(open_features(drawn / "cache"), explained=0).scores.near_duplicates
    assert near["similarity"][0] == pytest.approx(1, abs=1e-4)
    section = re.search(r'<section id="leakage">.*?</section>', page, re.DOTALL).group()
    assert "test/" in section and "copy.jpg" in section and "trained on" in section


def test_a_dense_head_shows_its_learning_curve(drawn):
    words = Page(report_page(review(open_features(drawn / "cache"), "dense", explained=0))).text
    assert "Learning: loss" in words and "Learning: accuracy" in words and "validation" in words


def test_without_a_model_there_are_still_sheets_and_the_recipe(drawn, tmp_path):
    extract_features(drawn / "pictures", tmp_path / "cache", TINY)
    read = Page(report_page(review(open_features(tmp_path / "cache"))))
    assert read.ids() == ["next", "notes", "groups", "duplicates", "sheets", "failures", "methods", "recipe"]
    assert "embed fit" in read.text


def test_the_page_says_how_many_photographs_the_head_that_is_kept_was_fitted_on(drawn):
    known = review(open_features(drawn / "cache"), explained=0)
    document = {**known.scores.document, "n_train": 3068, "n_fitted": 3409}
    page = report_page(
        dataclasses.replace(known, scores=dataclasses.replace(known.scores, document=document))
    )
    assert "fitted on 3,409 and scored on" in Page(page).text


def test_a_page_on_photographs_that_have_changed_since_says_so_before_anything_else(drawn):
    known = review(open_features(drawn / "cache"), explained=0)
    assert "changed" not in Page(report_page(known)).attributes("class")
    since = dataclasses.replace(
        known.scores, changed="Run <embed fit>.", near_duplicates=known.scores.near_duplicates[:0]
    )
    read = Page(report_page(dataclasses.replace(known, scores=since)))
    assert (
        read.text.index("Run <embed fit>.") < read.text.index("95% confidence")
        and "leakage" not in read.ids()
    )


def test_photographs_that_are_gone_say_so(drawn, tmp_path):
    shutil.copytree(os.fsencode(drawn / "pictures"), os.fsencode(tmp_path / "pictures"))
    extract_features(tmp_path / "pictures", tmp_path / "cache", TINY)
    features = open_features(tmp_path / "cache")
    fit(features)
    shutil.rmtree(os.fsencode(tmp_path / "pictures"))
    read = Page(report_page(review(features)))
    assert "img" not in {tag for tag, _ in read.elements}
    assert {"losses", "sheets"} <= set(read.ids())


# ---- the command


def test_the_command_writes_into_the_feature_set_or_where_told(drawn, run_embed, tmp_path):
    features = open_features(drawn / "cache")
    at = ("--cache", drawn / "cache", "--no-maps")
    printed = run_embed("report", *at, check=True).stdout.strip()
    assert printed == str(features.folder / "report.html") and os.path.getsize(printed) > 50_000
    document = json.loads(run_embed("report", *at, "--out", "mine.html", "--json", check=True).stdout)
    assert document == {"report": "mine.html", "features": features.name, "model": "logistic"}
    assert (tmp_path / "mine.html").is_file()
    nowhere = run_embed("report", *at, "--out", "mine.html/where.html")
    assert nowhere.returncode == 1 and nowhere.stderr.splitlines()[-1].startswith("embed: ")
    assert nowhere.stderr.count("embed: ") == 1 and "Traceback" not in nowhere.stderr


# ---- in a browser


@pytest.mark.browser
def test_a_browser_shows_every_picture_without_a_complaint_and_fits_a_phone(page, tmp_path, open_tab):
    file = tmp_path / "report.html"
    file.write_text(page, encoding="utf-8")
    tab = open_tab(file, viewport=PHONE, color_scheme="dark")
    widths = tab.evaluate("Promise.all([...document.images].map(i => i.decode().then(() => i.naturalWidth)))")
    assert widths and min(widths) > 0
    assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    heat = "[...document.querySelectorAll('img.heat')].filter(i => i.checkVisibility()).map(i => i.className)"
    assert tab.evaluate(heat) == []  # photographs come first
    tab.click("label[for=heat-predicted]")
    assert set(tab.evaluate(heat)) == {"heat predicted"}
    tab.click("label[for=heat-true]")
    assert set(tab.evaluate(heat)) == {"heat true"}
    dark = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    cell = tab.locator(".confusion button").last
    opened = tab.locator(f"#{cell.get_attribute('popovertarget')}")
    assert not opened.is_visible()
    cell.click()
    assert opened.is_visible() and opened.locator("img").first.is_visible()
    tab.keyboard.press("Escape")
    assert not opened.is_visible()
    tab.emulate_media(color_scheme="light")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") != dark
