"""Photographs are put into the bin and come back, and nobody ever loses one."""

import shutil

import pytest
from PIL import Image
from serving import served
from waiting import until

import embed

SUN, LARGE = "test/sun/sun-000.jpg", "test/sun/larger.jpg"


def paths(site):
    return {photo["path"] for photo in site.get("/api/photos?limit=1000")["photographs"]}


def computed(site, kind):
    """What a job finds that is begun when it is asked for first."""
    while (found := site.get(f"/api/{kind}")["found"]) is None:
        assert site.done(kind)["problem"] == ""
    return found


def files(folder):
    """Every photograph below a folder, with its bytes."""
    return {
        file.relative_to(folder).as_posix(): file.read_bytes()
        for file in folder.rglob("*.jpg")
        if ".embed-bin" not in file.parts
    }


def copied(folder):
    """Put the same picture there once more, larger."""
    with Image.open(folder / SUN) as image:
        image.resize((480, 480), Image.Resampling.BICUBIC).save(folder / LARGE, quality=95)


def test_of_duplicates_the_largest_is_kept_and_the_others_come_back_from_the_bin(own):
    pictures = own / "pictures"
    copied(pictures)
    before = files(pictures)
    with served(own / "cache", data=pictures) as site:
        site.done("extract")
        ((kept, spare),) = computed(site, "duplicates")["groups"]
        assert (kept["path"], kept["kept"]) == (LARGE, True)
        assert (spare["path"], spare["kept"]) == (SUN, False)
        moved = site.post("/api/bin", paths=[SUN], reason="a duplicate")
        assert (moved["photographs"], moved["left"]) == ([SUN], [])
        assert files(pictures) == {path: data for path, data in before.items() if path != SUN}
        assert (pictures / ".embed-bin" / moved["batch"] / SUN).read_bytes() == before[SUN]
        until(lambda: SUN not in paths(site), "the row to leave")
        assert computed(site, "duplicates")["groups"] == []
        (batch,) = site.get("/api/bin")["batches"]
        assert (batch["batch"], batch["reason"], batch["count"]) == (moved["batch"], "a duplicate", 1)
        shown = site.ask(f"/api/pictures/{SUN}?batch={moved['batch']}")
        assert shown.status == 200 and shown.body[:2] == b"\xff\xd8"
        assert site.ask(f"/api/pictures/{LARGE}?batch={moved['batch']}").status == 404
        assert site.post("/api/bin/restore", batch=moved["batch"]) == {"photographs": [SUN], "left": []}
        assert files(pictures) == before
        until(lambda: SUN in paths(site), "the row to come back")
        assert site.get("/api/bin")["batches"] == []


def test_where_labels_disagree_somebody_has_to_say_first_which_is_right(own):
    shutil.copy(own / "pictures" / SUN, own / "pictures" / "test" / "tree" / "sun.jpg")
    with served(own / "cache", data=own / "pictures") as site:
        site.done("extract")
        (group,) = computed(site, "duplicates")["groups"]
        assert [one["kept"] for one in group] == [None, None]


def test_delete_moves_into_the_bin_and_is_taken_back(own):
    before = files(own / "pictures")
    with served(own / "cache") as site:
        assert site.ask(f"/api/photos/{SUN}", "DELETE", token=False).status == 401
        answer = site.ask(f"/api/photos/{SUN}", "DELETE")
        assert answer.status == 200 and answer.document["photographs"] == [SUN]
        until(lambda: SUN not in paths(site), "the row to leave")
        for path in (SUN, "nothing.jpg", "../cache/meta.json", "%2fetc%2fpasswd", ""):
            assert site.ask(f"/api/photos/{path}", "DELETE").status == 404, path
        assert site.post("/api/bin/restore", paths=[SUN])["photographs"] == [SUN]
        until(lambda: SUN in paths(site), "the row to come back")
    assert files(own / "pictures") == before


def test_what_was_put_is_deleted_by_the_name_with_which_it_was_put(own, drawn):
    picture = (drawn / "pictures" / SUN).read_bytes() + b"more"
    with served(own / "cache") as site:
        assert site.ask("/api/photos/mine.jpg", "PUT", data=picture).status == 201
        assert site.get("/api/photos/mine.jpg")["path"] == "uploads/mine.jpg"
        assert site.ask("/api/photos/mine.jpg", "DELETE").document["photographs"] == ["uploads/mine.jpg"]
    assert not (own / "pictures" / "uploads" / "mine.jpg").exists()


def test_rows_follow_also_where_most_are_put_aside(own):
    with served(own / "cache") as site:
        going = sorted(paths(site))[:22]
        assert len(site.post("/api/bin", paths=going)["photographs"]) == 22
        until(lambda: len(paths(site)) == 2, "the rows to leave")
        assert len(site.post("/api/bin/restore")["photographs"]) == 22
        until(lambda: len(paths(site)) == 24, "the rows to come back")


def test_what_is_not_what_it_was_stays_and_is_told(own):
    (own / "pictures" / SUN).write_bytes((own / "pictures" / "test" / "tree" / "tree-000.jpg").read_bytes())
    with served(own / "cache") as site:
        moved = site.post("/api/bin", paths=[SUN])
        assert moved["photographs"] == [] and moved["batch"] is None
        assert moved["left"][0]["path"] == SUN and "changed" in moved["left"][0]["problem"]
        assert site.ask("/api/bin", "POST", send={"paths": [SUN, "nothing.jpg"]}).status == 404
        assert site.get("/api/bin")["batches"] == []
    assert (own / "pictures" / SUN).exists()


def test_nothing_is_put_back_over_another_file(own):
    with served(own / "cache") as site:
        site.post("/api/bin", paths=[SUN])
        (own / "pictures" / SUN).write_bytes(b"another")
        back = site.post("/api/bin/restore")
        assert back["photographs"] == [] and back["left"][0]["path"] == SUN
    assert (own / "pictures" / SUN).read_bytes() == b"another"


def test_photographs_in_an_archive_are_shown_and_cannot_be_moved(drawn, tmp_path):
    archive = shutil.make_archive(tmp_path / "pictures", "zip", drawn / "pictures")
    embed.extract_features(archive, tmp_path / "cache", backbone="tiny", size=64)
    with served(tmp_path / "cache") as site:
        path = sorted(paths(site))[0]
        answer = site.ask("/api/bin", "POST", send={"paths": [path]})
        assert answer.status == 404 and "cannot be moved" in answer.document["error"]
        assert computed(site, "duplicates")["groups"] == []


@pytest.mark.parametrize("kind", ["outliers", "mislabelled"])
def test_what_is_doubtful_is_told_with_its_photographs(site, kind):
    found = computed(site, kind)["photographs"]
    assert {photo["path"] for photo in found} <= paths(site)
    assert all(photo["version"] for photo in found)
