"""The page in a real browser: every page fits and is for everybody, by keyboard too, and no edit is lost."""

import base64
import json
import re
import shutil
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from pages import PHONE
from serving import served
from waiting import until

import embed
from embed import demo
from embed.labels import hand

WIDE = {"width": 1400, "height": 900}
LOOK_S = 0.05  # between two looks at a page, which keep it from what it is at
PAGES = ("home", "browse", "search", "label", "tidy", "map", "results", "use")
TINY = bytes.fromhex(
    "47494638396101000100800000ff0000ffffff21f90400000000002c00000000010001000002024401003b"
)  # GIF

pytestmark = pytest.mark.browser


@pytest.fixture
def tabs(browser):
    """Open a site in tabs; no page may complain, or run what a name says."""
    complaints, contexts = [], []

    @contextmanager
    def watched():
        yield
        for context in contexts:
            context.close()
        assert complaints == []

    def open_site(site, page="home", context=None, **options):
        if context is None:
            context = browser.new_context(**{"viewport": WIDE, **options})
            contexts.append(context)
        tab = context.new_page()
        tab.set_default_timeout(60_000)
        tab.on(
            "console", lambda message: complaints.append(message.text) if message.type == "error" else None
        )
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.on("dialog", lambda dialog: complaints.append(dialog.message))
        tab.goto(site.address)
        tab.wait_for_selector("main h1")
        if page != "home":
            turn(tab, page)
        return tab

    with watched():
        yield open_site


def turn(tab, page):
    """Go to another page, until it is there."""
    name = page.partition("?")[0]
    tab.evaluate("page => { location.hash = `#/${page}`; }", page)
    tab.wait_for_selector(f"main.{name} h1")


def when(tab, condition, argument=None):
    """Wait until a condition of the page is true; the page itself may evaluate no text."""
    until(lambda: tab.evaluate(condition, argument), condition, every=LOOK_S)


def settled(tab):
    """Wait until nothing is under way and every picture in view is there."""
    when(tab, "document.querySelector('#under-way').childElementCount === 0")
    when(tab, "[...document.images].every(i => i.complete)")


def labelled(tab, count):
    """Wait until the page says how many photographs have a label."""
    when(tab, "n => document.querySelector('.score').textContent.startsWith(`${n} of`)", count)


def violations(tab):
    """The rules of accessibility that what is shown breaks, each with an element."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-core is not installed"
    ).Axe()
    return {one["id"]: one["nodes"][0]["html"] for one in axe.run(tab).response["violations"]}


@pytest.mark.parametrize(
    ("viewport", "scheme"), [(WIDE, "light"), (PHONE, "dark")], ids=["wide-light", "phone-dark"]
)
def test_every_page_fits_and_everybody_can_use_it(site, tabs, viewport, scheme):
    tab = tabs(site, viewport=viewport, color_scheme=scheme, bypass_csp=True)
    found = {}
    for page in PAGES:
        turn(tab, page)
        settled(tab)
        assert tab.evaluate("document.documentElement.scrollWidth") <= viewport["width"], page
        found[page] = violations(tab)
    turn(tab, "browse")
    tab.click(".photo >> nth=0")
    tab.wait_for_selector("dialog .bars")
    found["large"] = violations(tab)
    assert {page: broken for page, broken in found.items() if broken} == {}


def test_names_of_strangers_are_text(tmp_path, tabs):
    label = "<img src=x onerror=alert(1)>"
    folder = tmp_path / "pictures" / label
    demo.draw(tmp_path / "drawn", train=3, test=0)
    folder.mkdir(parents=True)
    for i, file in enumerate(sorted((tmp_path / "drawn").rglob("*.jpg"))[:5]):
        shutil.copy(file, folder / f"<script>alert({i})<|script>.jpg")
    shutil.copytree(tmp_path / "drawn" / "train" / "tree", tmp_path / "pictures" / "tree\u202egpj")
    embed.extract_features(tmp_path / "pictures", tmp_path / "cache", backbone="tiny", size=64)
    embed.open(tmp_path / "cache").fit("knn")
    with served(tmp_path / "cache") as site:
        tab = tabs(site)
        for page in PAGES:
            turn(tab, page)
            settled(tab)
            assert tab.evaluate("document.querySelectorAll('main script, [onerror], img[src=x]').length") == 0
        turn(tab, "browse")
        tab.click(".photo >> nth=0")
        tab.wait_for_selector("dialog .bars")
        assert "<script>alert(0)<|script>.jpg" in tab.inner_text("dialog .bar")
        assert label in tab.inner_text("dialog .facts-list")
        assert "\\u202e" in tab.inner_text("dialog .bars")
        tab.context.close()


def test_a_hundred_thousand_photographs_are_scrolled_through_and_only_what_is_seen_is_fetched(site, tabs):
    tab = tabs(site, viewport=PHONE)  # a few pictures at a time, and the tallest page
    total, fetched, pictures = 100_000, [], []

    def listed(route):
        asked = {key: values[0] for key, values in parse_qs(urlsplit(route.request.url).query).items()}
        start, limit = int(asked["offset"]), int(asked["limit"])
        fetched.append(start)
        photos = [
            {"path": f"{i:06d}.jpg", "label": None, "split": None, "version": "1"}
            for i in range(start, min(total, start + limit))
        ]
        route.fulfill(json={"total": total, "photographs": photos})

    def picture(route):
        pictures.append(re.search(r"/(\d{6})\.jpg", route.request.url)[1])
        route.fulfill(body=TINY, content_type="image/gif")

    tab.route("**/api/photos?*", listed)
    tab.route("**/api/pictures/*", picture)
    turn(tab, "browse")
    tab.wait_for_selector(".photo")
    assert "100,000 photographs" in tab.inner_text("main")
    height = tab.evaluate("document.documentElement.scrollHeight")
    for share in (0.1, 0.37, 0.74):
        tab.evaluate("top => scrollTo(0, top)", height * share)
        near = int(total * share)
        when(
            tab,
            "near => [...document.querySelectorAll('.photo')].some(p => Math.abs(p.dataset.place - near) < 400)",
            near,
        )
    tab.focus(".photo[tabindex='0']")
    tab.keyboard.press("End")
    tab.wait_for_selector(f".photo[data-place='{total - 1}']:focus")
    tab.keyboard.press("ArrowLeft")
    tab.wait_for_selector(f".photo[data-place='{total - 2}']:focus")
    assert tab.evaluate("document.querySelectorAll('.photo').length") < 300
    assert len(fetched) < 20 and len(pictures) < 1000


def test_labels_are_given_and_taken_back_by_keyboard_alone(flat, tabs):
    site, _ = flat
    tab = tabs(site)
    for _ in range(2 + PAGES.index("label")):
        tab.keyboard.press("Tab")
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.textContent") == "Label"
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".sheet")
    tab.focus(".sheet li button")
    first = tab.get_attribute(".sheet li button", "title")
    tab.keyboard.press("Space")
    tab.keyboard.press("ArrowRight")
    second = tab.evaluate("document.activeElement.title")
    assert second != first
    tab.focus(".sheet input[type=text]")
    tab.keyboard.type("sea")
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".sheet.named")
    given = {row.path for row in hand.read(site.desk.now.cache.labels_file)}
    assert first not in given and second in given
    tab.click("text=2 Unsure")
    tab.wait_for_selector(".stage img")
    shown = tab.inner_text(".stage .path")
    tab.keyboard.press("n")
    tab.keyboard.type("town")
    tab.keyboard.press("Enter")
    tab.wait_for_selector(".names button >> text=town")
    tab.keyboard.press("s")
    tab.keyboard.press("2")
    labelled(tab, len(given) + 2)
    tab.keyboard.press("u")
    labelled(tab, len(given) + 1)
    labels = {row.path: row.label for row in hand.read(site.desk.now.cache.labels_file)}
    assert labels.pop(shown) == "town"
    assert set(labels) == given and set(labels.values()) == {"sea"}


def test_what_is_next_is_asked_for_again_where_it_could_not_be_had(flat, browser):
    site, _ = flat
    tab = browser.new_page(viewport=WIDE)
    tab.goto(site.address)
    tab.wait_for_selector("main h1")
    refused = "**/api/labels/next?*"
    tab.route(refused, lambda route: route.fulfill(status=409, json={"error": "Not just now."}))
    turn(tab, "label?step=unsure")
    tab.wait_for_selector("text=Not just now.")
    assert "Every photograph has a label" not in tab.inner_text("main")
    tab.unroute(refused)
    tab.click("button >> text=Try again")
    tab.wait_for_selector(".stage .path")
    tab.close()


def test_two_tabs_lose_no_label(flat, tabs):
    site, _ = flat
    site.post("/api/labels", labels={"000.jpg": "sea", "001.jpg": "town"})
    one = tabs(site, "label?step=unsure")
    two = tabs(site, "label?step=unsure")
    one.wait_for_selector(".names button >> nth=1")
    two.wait_for_selector(".names button >> nth=1")
    shown = one.inner_text(".stage .path")
    assert shown == two.inner_text(".stage .path")
    one.keyboard.press("1")
    labelled(one, 3)
    two.keyboard.press("2")
    two.wait_for_selector("#told .bad")
    assert {row.path: row.label for row in hand.read(site.desk.now.cache.labels_file)}[shown] == "sea"
    site.post("/api/labels", labels={shown: "town"})
    one.keyboard.press("u")
    one.wait_for_selector("#told .bad")  # and nothing says that it was taken back
    assert "kept it" in one.inner_text("#told")
    assert {row.path: row.label for row in hand.read(site.desk.now.cache.labels_file)}[shown] == "town"


def test_duplicates_are_put_aside_on_the_page_and_taken_back(own, tabs):
    pictures = own / "pictures"
    shutil.copy(pictures / "test" / "sun" / "sun-000.jpg", pictures / "test" / "sun" / "again.jpg")
    spare = pictures / "test" / "sun" / "sun-000.jpg"
    with served(own / "cache", data=pictures) as site:
        site.done("extract")
        tab = tabs(site, "tidy", bypass_csp=True)
        tab.wait_for_selector(".pair-group")
        assert violations(tab) == {}
        tab.click(".pair-group button >> text=Move 1 to the bin")
        tab.wait_for_selector(".pair-group.settled")
        assert not spare.exists() and (pictures / "test" / "sun" / "again.jpg").exists()
        tab.click("#told button >> text=Undo")
        tab.wait_for_selector(".pair-group:not(.settled)")
        assert spare.exists()
        tab.click(".choices-row button >> text=Outliers")
        name = tab.get_attribute(".card .choice >> nth=0", "aria-label").removeprefix("To the bin: ")
        tab.click(".card .choice >> nth=0")
        tab.wait_for_selector(".card.settled")
        assert not (pictures / name).exists()
        tab.click(".choices-row button >> text=Bin")
        tab.wait_for_selector(".pair-group")
        assert violations(tab) == {}
        tab.click("text=Put it back")
        tab.wait_for_selector("text=The bin is empty.")
        assert (pictures / name).exists()
        tab.context.close()


def test_a_photograph_that_is_open_goes_to_the_bin_and_the_next_is_shown(own, tabs):
    with served(own / "cache") as site:
        tab = tabs(site, "browse")
        tab.click(".photo >> nth=0")
        tab.wait_for_selector("dialog .facts-list")
        first, file = tab.inner_text("dialog .bar .name"), tab.inner_text("dialog .facts-list dd >> nth=0")
        tab.click("dialog button >> text=To the bin")
        when(tab, "name => document.querySelector('dialog .bar .name').textContent !== name", first)
        assert not Path(file).exists()
        tab.click("dialog #told button")
        until(lambda: Path(file).exists(), "the photograph")
        tab.keyboard.press("Escape")
        tab.wait_for_selector("dialog", state="detached")
        assert tab.locator("#told").count() == 1
        tab.context.close()


def test_a_doubtful_label_is_accepted_kept_or_another_one_and_taken_back(flat, tabs):
    site, _ = flat
    site.post("/api/labels", labels={"000.jpg": "sea", "001.jpg": "sea", "002.jpg": "town"})

    def given():
        return {row.path: row.label for row in hand.read(site.desk.now.cache.labels_file)}

    def doubts(route):
        photos = [
            {"path": path, "label": label, "split": None, "version": "1", "suggested": "town"}
            | {"probability": 0.1, "suggested_probability": 0.9, "probably_wrong": True}
            for path, label in sorted(given().items())
        ]
        route.fulfill(json={"found": {"reason": "", "photographs": photos, "wrong": 3}, "job": None})

    tab = tabs(site, bypass_csp=True)
    tab.route("**/api/mislabelled", doubts)
    turn(tab, "tidy?part=mislabelled")
    tab.wait_for_selector(".doubt")
    assert violations(tab) == {}
    tab.click(".doubt >> nth=0 >> button >> text=It is town")
    tab.wait_for_selector(".doubt.settled >> nth=0")
    assert given() == {"000.jpg": "town", "001.jpg": "sea", "002.jpg": "town"}
    tab.click("#told button >> text=Undo")
    until(lambda: given()["000.jpg"] == "sea", "the former label")
    tab.fill(".doubt >> nth=1 >> input", "harbour")
    tab.keyboard.press("Enter")
    until(lambda: given()["001.jpg"] == "harbour", "another label")
    tab.click(".doubt >> nth=2 >> button >> text=Keep town")
    assert tab.locator(".doubt.settled").count() == 2
    assert given() == {"000.jpg": "sea", "001.jpg": "harbour", "002.jpg": "town"}


def test_a_search_takes_what_is_picked_dropped_or_pasted_and_turns_from_what_is_less(site, drawn, tabs):
    photo = drawn / "pictures" / "test" / "sun" / "sun-000.jpg"
    tab = tabs(site, "search")
    tab.set_input_files("input[type=file]", photo)
    tab.wait_for_selector(".answers .card")
    give = """([how, data]) => {
        const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
        const transfer = new DataTransfer();
        transfer.items.add(new File([bytes], `${how}.jpg`, { type: "image/jpeg" }));
        if (how === "drop") document.querySelector(".drop").dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
        else document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }));
    }"""
    other = base64.b64encode((drawn / "pictures" / "test" / "tree" / "tree-000.jpg").read_bytes()).decode()
    for count, how in ((2, "drop"), (3, "paste")):
        tab.evaluate(give, [how, other])
        when(tab, "count => document.querySelectorAll('.terms li').length === count", count)

    def trees(answer):
        """The places of the trees among what was found."""
        found = answer.value.json()["neighbours"]
        return [place for place, one in enumerate(found) if one["label"] == "tree"]

    with tab.expect_response("**/api/similar") as more:
        tab.click(".terms li >> nth=2 >> button >> nth=1")
    before = sum(trees(more))
    with tab.expect_response("**/api/similar") as less:
        tab.click(".terms li >> nth=1 >> button >> nth=0")
    assert sum(trees(less)) > before
    tab.wait_for_selector(".terms li.less")
    first = tab.inner_text(".answers .card .path >> nth=0").rpartition("/")[2]
    tab.click(".answers .card .picture >> nth=0")
    tab.wait_for_selector("dialog .bars")
    tab.keyboard.press("ArrowRight")
    when(tab, "name => document.querySelector('dialog .bar .name').textContent !== name", first)
    tab.keyboard.press("Escape")
    tab.wait_for_selector("dialog", state="detached")


def test_a_cell_of_the_confusion_opens_its_photographs_and_a_lasso_chooses(site, drawn, tabs):
    tab = tabs(site, "results")
    evaluation = embed.open(drawn / "cache").evaluate()
    tab.click(".confusion td.right button >> nth=0")
    count = int(tab.inner_text(".confusion td.right button >> nth=0"))
    assert tab.locator(".cell-photos .card").count() == count
    assert len(evaluation) == sum(int(n) for n in tab.locator(".confusion td button").all_inner_texts())
    turn(tab, "map")
    tab.wait_for_selector("canvas")
    settled(tab)
    tab.click("button >> text=Lasso")
    tab.locator("canvas").scroll_into_view_if_needed()
    box = tab.locator("canvas").bounding_box()
    corners = [(2, 2), (box["width"] - 3, 2), (box["width"] - 3, box["height"] - 3), (2, box["height"] - 3)]
    tab.mouse.move(box["x"] + 2, box["y"] + 2)
    tab.mouse.down()
    for x, y in corners:
        tab.mouse.move(box["x"] + x, box["y"] + y, steps=2)
    tab.mouse.up()
    assert "24 photographs chosen" in tab.inner_text("main")
    with tab.expect_download() as download:
        tab.click("button >> text=Save their names")
    assert len(download.value.path().read_text().splitlines()) == 24


def test_a_learning_curve_of_what_was_before_is_told_and_the_next_is_drawn(site, tabs):
    tab = tabs(site, "results")
    answers = []

    def later(route):  # of what was before
        answers.append(route)
        route.fulfill(json={"curve": None}) if len(answers) < 3 else route.fallback()

    tab.route(
        "**/api/curve", lambda route: later(route) if route.request.method == "GET" else route.fallback()
    )
    turn(tab, "home")
    turn(tab, "results")
    tab.click("button >> text=Compute the learning curve")
    tab.wait_for_selector("text=compute it once more")
    tab.click("button >> text=Compute the learning curve")
    tab.wait_for_selector("figure >> text=photographs of each class")


def test_without_its_token_the_page_says_what_to_open(site, browser):
    page = browser.new_page()
    page.goto(f"http://127.0.0.1:{site.port}/")
    page.wait_for_selector("text=This page is locked")
    page.close()
    assert json.loads(site.ask("/healthz").body)["status"] == "ok"
