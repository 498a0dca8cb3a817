"""The report: everything that was measured is on one page, which needs nothing but itself and trusts nobody."""

import json
import os
import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

from embed import demo
from embed.backbones import Network
from embed.cache import open_features
from embed.errors import ModelError
from embed.extract import FeatureOptions, extract_features
from embed.learn import FitOptions, fit
from embed.learn.evaluation import Evaluation
from embed.report import chart, figures, tables
from embed.report.material import gather
from embed.report.model_page import model_page
from embed.report.photographs import Photographs

TINY = FeatureOptions(network=Network("tiny"))
HOSTILE = [b"<script>alert(1)<", b'" onerror="alert(1)', b"caf\xe9\n", b"\xe2\x80\xaegpj"]
PHONE = {"width": 390, "height": 844}


class Page(HTMLParser):
    """A page as it is read: its elements, its words, and whether every element was closed."""

    EMPTY = ("meta", "img", "input")

    def __init__(self, page):
        super().__init__()
        self.elements, self.open, self.words = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def ids(self, tag="section"):
        return [attributes.get("id") for name, attributes in self.elements if name == tag]


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
    return model_page(gather(open_features(drawn / "cache")))


def evaluation(probabilities, y, classes, **options):
    return Evaluation(
        classes=classes,
        y=np.array(y, dtype=object),
        probabilities=np.array(probabilities),
        paths=np.array([f"{i}.jpg" for i in range(len(y))], dtype=object),
        frequencies=np.ones(len(classes)),
        **options,
    )


# ---- the whole page


def test_every_section_is_there_and_linked(page):
    read = Page(page)
    order = ["summary", "classes", "confusion", "pairs", "losses", "wrong", "curves"]
    order += ["leakage", "sheets", "failures", "recipe"]
    assert read.open == [] and [name for name in order if name in read.ids()] == read.ids()
    links = [attributes["href"][1:] for tag, attributes in read.elements if tag == "a"]
    assert links == read.ids()
    assert set(order) - {"pairs", "wrong"} <= set(links)


def test_the_page_says_what_the_model_says(page, drawn):
    features = open_features(drawn / "cache")
    material = gather(features, maps=False)
    summary = material.evaluation.summary()
    words = Page(page).text
    low, high = summary["accuracy_interval"]
    for share in (summary["accuracy"], summary["baseline_accuracy"], low, high, summary["balanced_accuracy"]):
        assert f"{share:.1%}" in words
    assert "threshold 0.40" in words and "logistic" in words and features.name in words
    assert material.model.document["split"] in words
    assert all(
        note in words for note in material.model.document["notes"] if note.isascii() and "\n" not in note
    )


def test_the_page_is_self_contained_and_hostile_names_do_nothing(page):
    read = Page(page)
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
    assert heat.count("heat said") == heat.count("heat true") > 0
    assert "class-activation map (exact)" in page


def test_copies_on_both_sides_of_the_split_are_shown(drawn, page):
    near = gather(open_features(drawn / "cache"), maps=False).near
    assert near.pairs[0][2] == pytest.approx(1, abs=1e-4)
    section = re.search(r'<section id="leakage">.*?</section>', page, re.DOTALL).group()
    assert "test/" in section and "copy.jpg" in section and "trained on" in section


def test_a_dense_head_shows_its_learning_curve(drawn):
    words = Page(model_page(gather(open_features(drawn / "cache"), "dense", maps=False))).text
    assert "Learning: loss" in words and "Learning: accuracy" in words and "validation" in words


def test_without_a_model_there_are_still_sheets_and_the_recipe(drawn, tmp_path):
    extract_features(drawn / "pictures", tmp_path / "cache", TINY)
    read = Page(model_page(gather(open_features(tmp_path / "cache"))))
    assert read.ids() == ["sheets", "failures", "recipe"]
    assert "embed fit" in read.text


def test_a_model_that_is_named_must_be_there(drawn):
    with pytest.raises(ModelError, match="svm"):
        gather(open_features(drawn / "cache"), "svm")


def test_photographs_that_are_gone_say_so(drawn, tmp_path):
    shutil.copytree(os.fsencode(drawn / "pictures"), os.fsencode(tmp_path / "pictures"))
    extract_features(tmp_path / "pictures", tmp_path / "cache", TINY)
    features = open_features(tmp_path / "cache")
    fit(features)
    shutil.rmtree(os.fsencode(tmp_path / "pictures"))
    read = Page(model_page(gather(features)))
    assert "img" not in {tag for tag, _ in read.elements}
    assert {"losses", "sheets"} <= set(read.ids())


def test_the_page_stays_within_its_budget(drawn):
    features = open_features(drawn / "cache")
    photographs = Photographs(features.root, most_bytes=20_000)
    shown = "".join(photographs.image(path) for path in features.paths)
    assert photographs.used <= 20_000 and photographs.left_out > 0
    assert shown.count("left out") == photographs.left_out
    assert shown.count("<img") == len(features) - photographs.left_out


# ---- tables and figures


def test_a_large_confusion_matrix_is_cut_to_the_classes_that_are_confused():
    classes = [f"c{i:02}" for i in range(60)]
    probabilities = np.eye(60)[[*range(59), 0]]
    table = tables.confusion(evaluation(probabilities, classes, classes))
    assert "40 classes of 60" in table and "c59" in table and table.count("<tr>") == 41


def test_the_histogram_counts_every_photograph_on_a_log_axis():
    p = np.array([0.01] * 100 + [0.99])
    drawing = figures.score_histogram(evaluation(np.stack([1 - p, p], 1), ["a"] * 100 + ["b"], ["a", "b"]))
    heights = [
        float(h)
        for h in re.findall(
            r'class="bar (?:first|second)" x="[\d.]+" y="[\d.]+" width="[\d.]+" height="([\d.]+)"', drawing
        )
    ]
    first, second = heights[:2]  # the others are the legend's
    assert 2 < first / second < 20
    assert all(f">{tick}<" in drawing for tick in (1, 10, 100))


@pytest.mark.parametrize("n", [1, 2, 30])
def test_figures_of_few_or_perfect_answers_can_be_drawn(n):
    perfect = evaluation([[0.9, 0.1], [0.2, 0.8]] * n, ["a", "b"] * n, ["a", "b"])
    for drawing in (
        figures.score_histogram(perfect),
        figures.threshold_curve(perfect.threshold_curve(), 0.3),
        figures.calibration_curve(perfect.calibration()),
    ):
        assert drawing.startswith("<svg") and "nan" not in drawing and "inf" not in drawing
    row = {"loss": 0.5, "accuracy": 1.0, "validation_loss": None, "validation_accuracy": None}
    for _, drawing in figures.learning_curves([{"epoch": i + 1, **row} for i in range(n)]):
        assert drawing.startswith("<svg") and "nan" not in drawing


def test_ticks_are_round_and_inside():
    assert chart.nice_ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1]
    assert chart.nice_ticks(0.93, 1) == [0.94, 0.96, 0.98, 1]
    assert chart.powers_of_ten(0.6, 1400) == [1, 10, 100, 1000]


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
    assert nowhere.returncode == 1 and nowhere.stderr.count("\n") == 1


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
    assert set(tab.evaluate(heat)) == {"heat said"}
    tab.click("label[for=heat-true]")
    assert set(tab.evaluate(heat)) == {"heat true"}
    dark = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    tab.emulate_media(color_scheme="light")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") != dark
