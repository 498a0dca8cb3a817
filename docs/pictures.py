"""Pictures of the pages of `embed serve` for the documentation, on pictures that are drawn on the spot.

    python docs/pictures.py                 # those in docs/images
    python docs/pictures.py --all FOLDER    # every page, wide and narrow, light and dark, to be looked at

Needs a Chromium and Playwright. The photographs lie in a folder of a neutral name while they are taken; nothing else of this machine
is on them.
"""

import argparse
import http.client
import io
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from embed import demo

IMAGES = Path(__file__).parent / "images"
PHOTOS = Path("/tmp/photos")  # a name that says nothing of this machine
TOKEN, PORT = "your-own-token-stands-here", 8765
WIDE, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}
TRAIN, COPIES, WRONG, CHECKED = 30, 4, 6, 40
QUALITY = 86
POLL_S = 0.1
PAGES = {
    "home": "home",
    "browse": "browse",
    "search": "search?like=IMG_0012.jpg",
    "label": "label?step=groups",
    "unsure": "label?step=unsure",
    "check": "label?step=check",
    "duplicates": "tidy",
    "mislabelled": "tidy?part=mislabelled",
    "outliers": "tidy?part=outliers",
    "bin": "tidy?part=bin",
    "map": "map",
    "results": "results",
    "use": "use",
}

THERE = {"browse": ".photo", "search": ".answers .card", "map": "canvas"}  # what is waited for on a page


class Site:
    """A server that is asked as other programs ask it."""

    def ask(self, method: str, path: str, document: Any = None) -> Any:
        """Return the document that answers another one."""
        connection = http.client.HTTPConnection("127.0.0.1", PORT)
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        connection.request(method, path, None if document is None else json.dumps(document), headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        if response.status != 200:
            sys.exit(f"{path}: {answer}")
        return answer

    def done(self, kind: str) -> None:
        """Wait until a job has ended."""
        while True:
            jobs = {job["kind"]: job for job in self.ask("GET", "/api/status")["jobs"]}
            if kind in jobs and not jobs[kind]["running"]:
                return
            time.sleep(POLL_S)


def photographs(folder: Path) -> dict[str, str]:
    """Draw photographs into one folder, by names that say nothing, and return the class of each."""
    truth = {}
    with tempfile.TemporaryDirectory() as place:
        demo.draw(Path(place), train=TRAIN, test=0)
        drawn = sorted(Path(place).rglob("*.jpg"))
        random.Random(0).shuffle(drawn)
        for number, file in enumerate(drawn):
            name = f"IMG_{number:04d}.jpg"
            shutil.copy(file, folder / name)
            truth[name] = file.parent.name
    for number, name in enumerate(sorted(truth)[10 : 10 + COPIES]):
        with Image.open(folder / name) as image:
            image.resize((480, 480), Image.Resampling.BICUBIC).save(
                folder / f"edited-{number}.jpg", quality=92
            )
        truth[f"edited-{number}.jpg"] = truth[name]
    return truth


def labelled(site: Site, truth: dict[str, str]) -> None:
    """Label by groups, then what was clicked away, and check some; a few labels are wrong, as they are everywhere."""
    for group in site.ask("GET", "/api/groups")["groups"]:
        paths = [photo["path"] for photo in group["photographs"]]
        names = [truth[path] for path in paths]
        most = max(sorted(set(names)), key=names.count)
        site.ask("POST", "/api/labels", {"labels": {path: most for path in paths if truth[path] == most}})
    rest = site.ask("GET", "/api/labels/next?limit=500")["photographs"]
    given = {photo["path"]: truth[photo["path"]] for photo in rest[:-24]}
    if given:
        site.ask("POST", "/api/labels", {"labels": given})
    drawn = [
        photo["path"] for photo in site.ask("GET", "/api/labels/next?order=random&limit=100")["photographs"]
    ]
    checked = {path: truth[path] for path in drawn[:CHECKED]}
    site.ask("POST", "/api/labels", {"labels": checked, "split": "test"})
    classes = sorted(set(truth.values()))
    wrong = {path: classes[classes.index(truth[path]) - 1] for path in drawn[CHECKED : CHECKED + WRONG]}
    site.ask("POST", "/api/labels", {"labels": wrong})
    site.ask("POST", "/api/fit", {})
    site.done("fit")


@contextmanager
def running(folder: Path, cache: Path) -> Iterator[Site]:
    """Run a server while the block lasts."""
    command = [
        sys.executable,
        "-m",
        "embed.cli",
        "serve",
        str(folder),
        "--cache",
        str(cache),
        "--backbone",
        "tiny",
    ]
    command += ["--no-open", "--port", str(PORT), "--token", TOKEN]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        if not process.stdout.readline():
            sys.exit("The server did not start.")
        site = Site()
        site.done("extract")
        yield site
    finally:
        process.terminate()
        process.wait()


def turn(tab: Page, page: str) -> None:
    """Go to a page, until all of it is there."""
    tab.evaluate("page => { location.hash = `#/${page}`; }", page)
    tab.wait_for_selector(f"main.{page.partition('?')[0]} h1")
    tab.wait_for_selector(THERE.get(page.partition("?")[0], "main h1"))
    for condition in (
        "document.querySelector('#under-way').childElementCount === 0 && !document.querySelector('main').innerText.includes('…')",
        "[...document.images].every(i => i.complete)",
    ):
        while not tab.evaluate(condition):
            time.sleep(POLL_S)
    time.sleep(3 * POLL_S)  # what comes a frame later


def shot(tab: Page, name: str, folder: Path, **options: Any) -> None:
    """Take a picture of what is seen."""
    with Image.open(io.BytesIO(tab.screenshot(**options))) as image:
        image.convert("RGB").save(folder / name, quality=QUALITY)


def opened(browser: Any, viewport: dict[str, int], scheme: str) -> Page:
    """Open the page in a tab of its own."""
    tab = browser.new_page(viewport=viewport, color_scheme=scheme)
    tab.goto(f"http://127.0.0.1:{PORT}/#token={TOKEN}")
    tab.wait_for_selector("main h1")
    return tab


def look_at_one(tab: Page) -> None:
    """Open one photograph, with what speaks for its class."""
    turn(tab, "browse")
    tab.click(".photo >> nth=8")
    tab.click("dialog button >> text=Why?")
    tab.wait_for_selector("dialog canvas")
    time.sleep(3 * POLL_S)


def for_the_docs(browser: Any, site: Site, truth: dict[str, str]) -> None:
    """Take the pictures of the documentation."""
    tab = opened(browser, WIDE, "light")
    turn(tab, PAGES["label"])
    sheet = tab.locator(".sheet").first
    names = [button.get_attribute("title") or "" for button in sheet.locator("li button").all()]
    classes = [truth[name] for name in names]
    most = max(sorted(set(classes)), key=classes.count)
    for i, name in enumerate(classes):
        if name != most:
            sheet.locator("li button").nth(i).click()
    sheet.locator("input[type=text]").fill(most)
    shot(tab, "serve-label.webp", IMAGES)
    labelled(site, truth)
    for name in ("home", "browse", "search", "unsure", "duplicates", "map", "results"):
        turn(tab, PAGES[name])
        shot(tab, f"serve-{name}.webp", IMAGES)
    look_at_one(tab)
    shot(tab, "serve-large.webp", IMAGES)
    phone = opened(browser, PHONE, "dark")
    turn(phone, PAGES["unsure"])
    shot(phone, "serve-phone.webp", IMAGES)


def all_of_them(browser: Any, site: Site, truth: dict[str, str], folder: Path) -> None:
    """Take every page in every form, the whole of it."""
    folder.mkdir(parents=True, exist_ok=True)
    forms = [(view, scheme) for view in (WIDE, PHONE) for scheme in ("light", "dark")]
    tabs = {f"{view['width']}-{scheme}": opened(browser, view, scheme) for view, scheme in forms}

    def take(name: str) -> None:
        for form, tab in tabs.items():
            turn(tab, PAGES[name])
            shot(tab, f"{name}-{form}.jpg", folder, full_page=name != "browse")

    take("label")
    labelled(site, truth)
    site.ask("POST", "/api/bin", {"paths": sorted(truth)[:2], "reason": "a duplicate"})
    site.done("extract")
    for name in PAGES:
        if name != "label":
            take(name)
    for form, tab in tabs.items():
        look_at_one(tab)
        shot(tab, f"large-{form}.jpg", folder)


def main() -> None:
    """Take them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--all", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    program = next(
        (
            found
            for name in ("chromium", "chromium-browser", "google-chrome")
            if (found := shutil.which(name))
        ),
        None,
    )
    if PHOTOS.exists():
        sys.exit(f"{PHOTOS} is there already, and is not touched: move it away.")
    PHOTOS.mkdir()
    try:
        truth = photographs(PHOTOS)
        with (
            tempfile.TemporaryDirectory() as cache,
            running(PHOTOS, Path(cache)) as site,
            sync_playwright() as playwright,
        ):
            browser = playwright.chromium.launch(
                executable_path=program, args=["--no-sandbox", "--disable-gpu"]
            )
            site.ask("POST", "/api/groups", {"groups": 8})
            site.done("group")
            if options.all is None:
                for_the_docs(browser, site, truth)
            else:
                all_of_them(browser, site, truth, options.all)
            browser.close()
    finally:
        shutil.rmtree(PHOTOS)


if __name__ == "__main__":
    main()
