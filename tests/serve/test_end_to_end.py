"""From 195 photographs without a label to a classifier with an honest number and a sorted folder, by the page alone."""

import hashlib
import shutil

import pytest
from serving import process
from waiting import until

COUNT = 195
CHECKED = 40
LEAST = 0.85
RIGHT = 0.9  # of the sorted photographs
LOOK_S = 0.03  # between two looks at the page
MOST = 32  # photographs in a request
TOLD = ".step > [role=status]"  # how many are left


@pytest.fixture
def unlabelled(ants_bees, tmp_path):
    """Photographs of the training part in one folder, by names that say nothing; the class of each, and those kept aside."""
    files = sorted(
        (ants_bees / "train").rglob("*.jpg"), key=lambda file: hashlib.sha256(file.read_bytes()).digest()
    )
    (tmp_path / "photos").mkdir()
    truth = {}
    for i, file in enumerate(files[:COUNT]):
        truth[f"{i:03d}.jpg"] = file.parent.name
        shutil.copy(file, tmp_path / "photos" / f"{i:03d}.jpg")
    return tmp_path / "photos", truth, sorted((ants_bees / "val").rglob("*.jpg"))


@pytest.mark.torture  # a minute of two cores
@pytest.mark.timeout(900)
@pytest.mark.browser
@pytest.mark.imagenet
@pytest.mark.photographs
def test_a_person_with_a_browser_gets_a_classifier_and_a_sorted_folder(
    unlabelled, keras_home, browser, tmp_path
):
    folder, truth, aside = unlabelled
    with process(folder, cwd=tmp_path, KERAS_HOME=str(keras_home)) as (_, site, address):
        tab = browser.new_page(viewport={"width": 1400, "height": 900})
        tab.set_default_timeout(120_000)
        tab.goto(address)
        tab.click("text=Label photographs")
        name_groups(tab, truth)
        tab.click("text=2 Unsure")
        give_names(tab, truth, "Every photograph has a label.")
        assert site.get("/api/status")["labelled"] == COUNT
        tab.click("text=3 Check")
        give_names(tab, truth, "enough for a start")
        until(lambda: site.get("/api/status")["model"]["n"] == CHECKED, "the classifier that was checked")
        tab.click("nav >> text=Home")
        tab.click("text=Use the classifier")
        said = site.get("/api/status")["model"]
        assert (said["evaluated_on"], said["n"]) == ("test", CHECKED)
        assert f"right about {100 * said['accuracy']:.1f}%" in tab.inner_text("main.use h1 + p")
        tab.click("text=Show what would be done")
        tab.click(f"text=Copy {COUNT} photographs")
        tab.wait_for_selector(f"text=Done: {COUNT} photographs copied")
        tab.set_input_files("input[type=file]", aside[0])
        tab.wait_for_selector(".answer .bars")
        tab.close()
        predicted = [
            label
            for start in range(0, len(aside), MOST)
            for label in classes(site, aside[start : start + MOST])
        ]
    # The number is one that photographs bear out that nobody has seen.
    real = sum(label == file.parent.name for label, file in zip(predicted, aside, strict=True)) / len(aside)
    low, high = said["accuracy_interval"]
    assert real >= LEAST and low <= real <= high
    placed = {file.name: file.parent.name for file in (tmp_path / "photos-sorted").rglob("*.jpg")}
    assert placed.keys() == truth.keys()
    assert sum(placed[name] == truth[name] for name in truth) >= RIGHT * COUNT
    assert len(list(folder.iterdir())) == COUNT


def classes(site, files):
    """The class that the server predicts of each photograph."""
    photographs = [("photographs", file.name, file.read_bytes()) for file in files]
    answer = site.ask("/api/predict", "POST", files=photographs)
    return [one["label"] for one in answer.document["photographs"]]


def name_groups(tab, truth):
    """Click away what does not belong to most of a group, and name the others."""
    tab.wait_for_selector(".sheet li button")
    for group in tab.locator(".sheet").all():
        names = [button.get_attribute("title") for button in group.locator("li button").all()]
        true = [truth[name] for name in names]
        most = max(sorted(set(true)), key=true.count)
        for i, name in enumerate(names):
            if truth[name] != most:
                group.locator("li button").nth(i).click()
        group.locator("input[type=text]").fill(most)
        group.locator("text=Name them").click()
        tab.wait_for_selector(f"#{group.get_attribute('id')}.named")


def give_names(tab, truth, ends):
    """Press the key of the class of each photograph that is shown, once the one before has its label, until a text is there."""
    tab.wait_for_selector(".stage .path, .stage .done")
    keys = {name.split()[-1]: name.split()[0] for name in tab.locator(".names button").all_inner_texts()}
    shown = tab.locator(".stage .path")
    while ends not in tab.inner_text(".step"):
        path, told = shown.all_inner_texts(), tab.inner_text(TOLD)
        if path:
            tab.keyboard.press(keys[truth[path[0]]])
            until(lambda told=told: tab.inner_text(TOLD) != told, "the label", every=LOOK_S)
        else:
            until(
                lambda: shown.count() or ends in tab.inner_text(".step"), "the next photograph", every=LOOK_S
            )
