"""Labels given in the page: durable at once, none is ever lost, and the classifier follows."""

from concurrent.futures import ThreadPoolExecutor

import embed
from embed.labels import hand


def labels_in(site):
    return {row.path: (row.label, row.split) for row in hand.read(site.desk.now.cache.labels_file)}


def test_a_label_is_on_the_disk_when_it_is_answered_and_embed_fit_uses_it(flat):
    site, _ = flat
    site.post("/api/labels", labels={"000.jpg": "boat", "001.jpg": " sun "})
    assert labels_in(site) == {"000.jpg": ("boat", None), "001.jpg": ("sun", None)}
    assert embed.open(site.desk.collection.cache).classes == ["boat", "sun"]
    assert site.get("/api/labels")["counts"] == {"boat": 1, "sun": 1}
    assert site.get("/api/photos/000.jpg")["label"] == "boat"
    assert site.post("/api/labels", labels={"000.jpg": None})["former"] == {"000.jpg": "boat"}
    assert labels_in(site) == {"001.jpg": ("sun", None)}


def test_two_tabs_and_a_command_at_once_lose_no_label(flat, run_embed):
    site, truth = flat
    names = sorted(truth)

    def label(name):
        return site.post("/api/labels", labels={name: truth[name]})["left"]

    with ThreadPoolExecutor(8) as threads:
        of_tabs = [threads.submit(label, name) for name in names[:-1]]
        photo = site.desk.now.features.root / names[-1]
        command = threads.submit(
            run_embed, "label", photo, truth[names[-1]], "--cache", site.desk.collection.cache
        )
        assert all(one.result() == [] for one in of_tabs)
        assert command.result().returncode == 0, command.result().stderr
    assert {path: label for path, (label, _) in labels_in(site).items()} == truth


def test_what_another_tab_changed_meanwhile_stays_and_is_told(flat):
    site, _ = flat
    done = site.post(
        "/api/labels",
        labels={"000.jpg": "boat", "001.jpg": "boat"},
        expected={"000.jpg": None, "001.jpg": None},
    )
    assert done["left"] == []
    site.post("/api/labels", labels={"001.jpg": "sun"})
    back = site.post("/api/labels", labels=done["former"], expected={"000.jpg": "boat", "001.jpg": "boat"})
    assert back["left"] == ["001.jpg"]
    assert labels_in(site) == {"001.jpg": ("sun", None)}


def test_a_label_that_cannot_be_one_changes_nothing(flat):
    site, _ = flat
    for labels in (
        {"000.jpg": "a", "001.jpg": "  "},
        {"000.jpg": "a", "nothing.jpg": "b"},
        {},
        {"000.jpg": "\u202e"},
    ):
        assert site.ask("/api/labels", "POST", send={"labels": labels}).status in (400, 404)
    assert site.ask("/api/labels", "POST", send={"labels": {"000.jpg": "a"}, "split": "rest"}).status == 400
    assert labels_in(site) == {}


def test_groups_then_a_classifier_then_an_honest_number(flat):
    site, truth = flat
    assert site.get("/api/groups")["groups"] is None
    site.post("/api/groups", groups=6)
    site.done("group")
    groups = site.get("/api/groups")["groups"]
    assert sum(group["count"] for group in groups) == len(truth)
    # What is left of a group that is named is what does not belong there.
    for group in groups:
        names = [truth[photo["path"]] for photo in group["photographs"]]
        most = max(set(names), key=names.count)
        site.post(
            "/api/labels", labels={p["path"]: most for p in group["photographs"] if truth[p["path"]] == most}
        )
    site.post("/api/fit")
    assert site.done("fit")["problem"] == ""
    labels = site.get("/api/labels")
    (first,) = labels["fits"]
    assert first["labelled"] == first["n"] == labels["labelled"]
    assert "cross-validation" in first["evaluated_on"]
    unsure = site.get("/api/labels/next")
    assert {photo["path"] for photo in unsure["photographs"]} == truth.keys() - labels_in(site).keys()
    drawn = [photo["path"] for photo in site.get("/api/labels/next?order=random&limit=500")["photographs"]]
    assert sorted(drawn) == sorted(truth) and drawn != sorted(truth)
    for path in drawn[:8]:
        site.post("/api/labels", labels={path: truth[path]}, split="test")
    rest = [photo["path"] for photo in site.get("/api/labels/next?order=random&limit=500")["photographs"]]
    assert rest == drawn[8:]
    site.post("/api/fit")
    site.done("fit", after=1)
    model = site.get("/api/status")["model"]
    assert (model["evaluated_on"], model["n"]) == ("test", 8)
    assert site.get("/api/results")["summary"]["n"] == 8


def test_labels_of_folders_can_be_taken_over_and_changed_then(own):
    from serving import served

    with served(own / "cache") as site:
        assert not site.get("/api/status")["by_hand"]
        assert site.post("/api/labels/adopt")["photographs"] == 24
        status = site.get("/api/status")
        assert status["by_hand"] and status["labelled"] == 24
        site.post("/api/labels", labels={"test/sun/sun-000.jpg": "moon"})
        assert site.get("/api/photos/test/sun/sun-000.jpg")["label"] == "moon"
        assert site.get("/api/photos/test/sun/sun-000.jpg")["split"] == "test"


def test_what_cannot_be_fitted_is_told(flat):
    site, _ = flat
    site.post("/api/labels", labels={"000.jpg": "boat"})
    site.post("/api/fit")
    assert "two names" in site.done("fit")["problem"]


def test_all_are_sorted_into_a_folder_beside_and_nothing_is_moved(flat):
    site, truth = flat
    root = site.desk.now.features.root
    labelled = sorted(truth)[6:]  # three of each
    site.post("/api/labels", labels={name: truth[name] for name in labelled})
    site.post("/api/fit")
    assert site.done("fit")["problem"] == ""
    planned = site.post("/api/sort")
    assert (
        planned["into"] == str(root.parent / "photos-sorted") and not (root.parent / "photos-sorted").exists()
    )
    site.post("/api/sort", carry_out=True)
    assert (
        site.done("sort")["result"]["new"]
        == planned["new"]
        == len(list((root.parent / "photos-sorted").rglob("*.jpg")))
    )
    for name in labelled:
        assert (root.parent / "photos-sorted" / truth[name] / name).read_bytes() == (root / name).read_bytes()
    for folder in ("../x", "/tmp/x", ".x", "", "a/b", ".."):
        assert site.ask("/api/sort", "POST", send={"folder": folder}).status == 400


def test_searches_are_ready_before_anybody_asks_and_stay_so_when_labels_change(flat):
    site, _ = flat
    assert site.done("prepare")["problem"] == ""
    ready = site.desk.now.searcher
    assert ready.there
    for label in ("sea", "town"):
        site.post("/api/labels", labels={"000.jpg": label})
    assert site.desk.now.searcher is not ready and site.desk.now.searcher.last is ready
    (found,) = site.post("/api/similar", paths=["001.jpg"], k=30)["queries"]
    assert {one["label"] for one in found["neighbours"]} == {None, "town"}
