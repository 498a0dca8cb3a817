"""The map in a browser: it shows what one points at, photographs where one looks closer, and opens them."""

import json
import os
import shutil
import sys
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
from pages import DECODED, PHONE, SCREEN
from waiting import until

from embed import demo, files, search
from embed.backbones import Network
from embed.cache import open_features
from embed.extract import FeatureOptions, extract_features
from embed.report import map_page
from embed.report.page import visible

pytestmark = pytest.mark.browser

HOSTILE = '"><img src=x onerror=alert(1)> & <script>alert(2)<%2e%script> #?.jpg'
TURNED = "a\u202egpj.\u05d0\u2066.jpg"  # turns around what follows it
NO_UTF8 = os.fsdecode(b"caf\xe9.jpg")


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn")
    pictures = folder / "pictures"
    demo.draw(pictures, train=6, test=3)
    for name in (HOSTILE, TURNED, NO_UTF8):
        shutil.copy(pictures / "test/fish/fish-000.jpg", pictures / "train/fish" / name)
    extract_features(pictures, folder / "cache", FeatureOptions(network=Network("tiny")))
    return open_features(folder / "cache")


@pytest.fixture(scope="module")
def placed(features):
    return search.layout(features)


@pytest.fixture(scope="module")
def page(features, placed):
    file = features.root.parent / "map.html"
    files.write(file, map_page(features.root, placed))
    return file


@pytest.fixture
def tab(page, open_tab):
    return open_tab(page, viewport=SCREEN)


def reaches(tab, state):
    until(lambda: tab.evaluate(state), state)


def point(tab, i, placed):
    """Point at a photograph, and return which one the tip is about."""
    canvas = tab.locator("#map").bounding_box()
    x, y = tab.evaluate(f"place({i})")
    tab.mouse.move(canvas["x"] + x, canvas["y"] + y)
    paths = [visible(path) for path in placed.paths]
    return paths.index(tab.locator("#tip .path").inner_text())


def test_pointing_at_a_photograph_shows_it(tab, placed):
    assert not tab.locator("#tip").is_visible()
    assert "\u202e" not in json.dumps(tab.evaluate("data"), ensure_ascii=False)
    for i in (0, *(placed.paths.index(f"train/fish/{name}") for name in (HOSTILE, TURNED, NO_UTF8))):
        shown = point(tab, i, placed)
        assert tab.evaluate(f"place({shown})") == pytest.approx(tab.evaluate(f"place({i})"), abs=60)
        assert tab.locator("#tip .name").inner_text() == placed.labels[shown]
        assert min(tab.evaluate(DECODED)) > 0
    tab.mouse.move(5, 5)
    assert not tab.locator("#tip").is_visible()


def test_the_middle_of_what_is_drawn_is_in_the_middle(tab):
    canvas = tab.locator("#map").bounding_box()
    for axis, side in ((0, canvas["width"]), (1, canvas["height"])):
        places = tab.evaluate(f"data.x.map((_, i) => place(i)[{axis}])")
        assert (min(places) + max(places)) / 2 == pytest.approx(side / 2, abs=1)


def test_what_is_pointed_at_stays_there_while_one_looks_closer_and_its_tip_beside_it(tab, placed):
    shown = point(tab, 0, placed)
    before = tab.evaluate(f"place({shown})")
    tab.mouse.wheel(0, -400)
    reaches(tab, "scale > 2")
    tab.mouse.wheel(60, -400)
    reaches(tab, "scale > 4 && !waiting")
    x, y = tab.evaluate(f"place({shown})")
    assert (x, y) == pytest.approx(before, abs=60)
    tip, canvas = tab.locator("#tip").bounding_box(), tab.locator("#map").bounding_box()
    left, top = tip["x"] - canvas["x"], tip["y"] - canvas["y"]
    across = max(left - x, x - left - tip["width"], 0)
    assert across < 80 and top - 80 < y < top + tip["height"] + 80
    tab.click("#whole")
    reaches(tab, "scale === 1 && left === 0")


def test_where_there_is_room_photographs_are_shown(tab, placed):
    reaches(tab, "shown.size > 5")  # so few have room from the start
    seen = tab.evaluate("[...shown].map(place)")
    side = tab.evaluate("shown.side")
    for i, (x, y) in enumerate(seen):
        for a, b in seen[:i]:
            assert max(abs(a - x), abs(b - y)) >= side  # none covers another


def test_a_click_opens_the_photograph_and_dragging_does_not(tab, placed):
    shown = point(tab, placed.paths.index(f"train/fish/{NO_UTF8}"), placed)
    with tab.context.expect_page() as opened:
        tab.mouse.down()
        tab.mouse.up()
    address = opened.value.url
    assert unquote_to_bytes(address).endswith(os.fsencode(placed.paths[shown]))
    opened.value.close()
    tab.mouse.down()
    tab.mouse.move(500, 500, steps=3)
    tab.mouse.up()
    assert len(tab.context.pages) == 1 and tab.evaluate("left !== 0")


def test_the_address_of_every_photograph_is_that_of_its_file(tab, placed, features):
    addresses = tab.evaluate("data.x.map((_, i) => address(i))")
    for path, address in zip(placed.paths, addresses, strict=True):
        assert unquote_to_bytes(address.removeprefix("file://")) == os.fsencode(features.root / path)


def test_a_label_that_is_clicked_is_hidden_and_its_number_is_told(tab):
    button = tab.locator("#legend button").first
    assert button.inner_text().split() == ["boat", "9"]
    button.click()
    assert tab.evaluate("hidden.size") == 1 and button.get_attribute("aria-pressed") == "false"
    button.click()
    assert tab.evaluate("hidden.size") == 0


def test_keys_and_buttons_do_what_the_wheel_does(tab):
    tab.locator("#map").focus()
    tab.keyboard.press("+")
    tab.click("#closer")
    reaches(tab, "scale > 2")
    tab.keyboard.press("0")
    reaches(tab, "scale === 1")


def test_a_photograph_without_a_small_picture_is_read_from_its_file(
    features, placed, tmp_path, open_tab, monkeypatch
):
    monkeypatch.setattr(sys.modules[map_page.__module__], "PIXELS", ((5, 64),))
    files.write(tmp_path / "map.html", map_page(features.root, placed))
    tab = open_tab(tmp_path / "map.html", viewport=SCREEN)
    assert sum(map(bool, tab.evaluate("data.picture"))) == 5
    reaches(tab, "[...pictures.values()].some((one) => one.naturalWidth === 160)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_map_fits_a_phone_and_everybody_can_use_it(scheme, page, open_tab):
    tab = open_tab(page, viewport=PHONE, color_scheme=scheme, bypass_csp=True)
    assert tab.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core is not installed")
    violations = axe.Axe().run(tab).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in violations] == []


def test_of_very_many_photographs_some_have_a_small_picture(features):
    positions = np.random.default_rng(0).random((20_000, 2)).astype(np.float32)
    layout = search.Layout([f"gone/{i}.jpg" for i in range(20_000)], [None] * 20_000, positions, 5)
    page = map_page(features.root, layout)
    assert "5 more are not on the map" in page and len(page) < 4_000_000
