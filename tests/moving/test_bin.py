"""Photographs put aside: nothing lost, nothing overwritten, all of it back, whenever the process ends."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import xxhash

from embed.errors import CacheWriteError, InputError, UsageError
from embed.moving import Bin, Wanted, bin_of
from embed.moving.rename import _system_call, rename
from embed.sources import BIN, BIN_JOURNAL, Filters, Folder, Item, LeftOut, Listing

SUPPORT = Path(__file__).resolve().parents[1] / "support"


@pytest.fixture
def photographs(tmp_path):
    """A data folder with three photographs in two folders."""
    root = tmp_path / "photographs"
    for name in ("a/1.jpg", "a/2.jpg", "b/1.jpg"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def tree(folder):
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*.jpg")}


def move(bin, *names, **options):
    return bin.move([Wanted(name) for name in names], **options)


def test_photographs_go_into_the_bin_and_come_back(photographs):
    before, bin = tree(photographs), bin_of(photographs, [])
    times = {name: (photographs / name).stat().st_mtime_ns for name in before}
    moved = move(bin, "a/1.jpg", "b/1.jpg", "a/1.jpg", reason="twice")
    assert moved.bin == photographs / BIN and not moved.left and moved.bytes == 14
    assert [(one.path, one.file.read_text(), one.reason) for one in moved.photographs] == [
        ("a/1.jpg", "a/1.jpg", "twice"),
        ("b/1.jpg", "b/1.jpg", "twice"),
    ]
    assert not (photographs / "a/1.jpg").exists() and not (photographs / "b/1.jpg").exists()
    assert bin.contents() == list(moved.photographs)
    later = move(bin, "a/2.jpg")
    assert later.photographs[0].batch != moved.photographs[0].batch
    assert bin.restore().photographs == ("a/2.jpg",)  # the last first
    assert bin.restore().photographs == ("a/1.jpg", "b/1.jpg")
    assert bin.contents() == [] and bin.restore().photographs == ()
    assert tree(photographs) == before
    assert {name: (photographs / name).stat().st_mtime_ns for name in before} == times
    assert os.listdir(photographs / BIN) and not list((photographs / BIN).rglob("*/"))[1:]


def test_a_dry_run_touches_nothing(photographs):
    before = sorted(photographs.rglob("*"))
    moved = move(bin_of(photographs, []), "a/1.jpg", "gone.jpg", dry_run=True)
    assert [one.path for one in moved.photographs] == ["a/1.jpg"] and moved.dry_run
    assert [(one.path, one.problem) for one in moved.left] == [("gone.jpg", "is not there any more")]
    assert sorted(photographs.rglob("*")) == before


def test_single_photographs_come_back_from_whichever_batch_has_them(photographs):
    bin = bin_of(photographs, [])
    first = move(bin, "a/1.jpg", "a/2.jpg").photographs[0].batch
    move(bin, "b/1.jpg")
    assert bin.restore(["a/2.jpg"]).photographs == ("a/2.jpg",)
    with pytest.raises(InputError, match=r"a/2\.jpg is not in"):
        bin.restore(["a/2.jpg"])
    with pytest.raises(InputError, match="nothing of 'yesterday'"):
        bin.restore(batch="yesterday")
    assert bin.restore(batch=first).photographs == ("a/1.jpg",)
    assert [one.path for one in bin.contents()] == ["b/1.jpg"]


def test_nothing_is_put_back_over_a_file_that_came_meanwhile(photographs):
    bin = bin_of(photographs, [])
    move(bin, "a/1.jpg", "a/2.jpg")
    (photographs / "a/1.jpg").write_text("another")
    restored = bin.restore()
    assert restored.photographs == ("a/2.jpg",)
    assert [(one.path, one.problem) for one in restored.left] == [
        ("a/1.jpg", f"another file is at {photographs / 'a/1.jpg'} now")
    ]
    assert (photographs / "a/1.jpg").read_text() == "another"
    assert [one.file.read_text() for one in bin.contents()] == ["a/1.jpg"]
    (photographs / "a/1.jpg").unlink()
    assert bin.restore().photographs == ("a/1.jpg",)


@pytest.mark.parametrize("atomic", [True, False], ids=["by the system", "by looking first"])
def test_a_name_that_is_taken_is_not_given_again(tmp_path, monkeypatch, atomic):
    if not atomic:
        monkeypatch.setattr("embed.moving.rename._system_call", lambda: None)
    elif _system_call() is None:
        pytest.skip("this system renames over what is there")
    (tmp_path / "from").write_text("from")
    (tmp_path / "to").symlink_to("nowhere")
    with pytest.raises(FileExistsError):
        rename(tmp_path / "from", tmp_path / "to")
    assert (tmp_path / "from").read_text() == "from" and (tmp_path / "to").is_symlink()
    rename(tmp_path / "from", tmp_path / "free")
    assert (tmp_path / "free").read_text() == "from" and not (tmp_path / "from").exists()
    with pytest.raises(FileNotFoundError):
        rename(tmp_path / "from", tmp_path / "nobody")


def test_a_photograph_that_has_changed_or_lies_elsewhere_stays(photographs, tmp_path):
    bin = bin_of(photographs, [])
    outside = tmp_path / "outside"
    outside.mkdir()
    (photographs / "a/folder.jpg").mkdir()
    wanted = [
        Wanted("a/1.jpg", 7, 0, b"\1" * 32),
        Wanted("a/folder.jpg"),
        Wanted("b/1.jpg", 7, (photographs / "b/1.jpg").stat().st_mtime_ns, b"\1" * 32),
    ]
    moved = bin.move(wanted)
    assert [one.path for one in moved.photographs] == ["b/1.jpg"]
    assert [(one.path, one.problem.split(";")[0]) for one in moved.left] == [
        ("a/1.jpg", "has changed since its features were computed"),
        ("a/folder.jpg", "is no file"),
    ]
    in_bin = str(moved.photographs[0].file.relative_to(photographs))
    assert [one.problem for one in move(bin, in_bin).left] == ["is in the bin already"]
    for path in ("../outside/x.jpg", "/etc/hostname", ""):
        with pytest.raises(InputError, match="is no path in a data folder"):
            move(bin, path)


def test_a_link_is_moved_itself_and_what_it_leads_to_stays(photographs, tmp_path):
    (tmp_path / "elsewhere.jpg").write_text("elsewhere")
    (photographs / "a/link.jpg").symlink_to(tmp_path / "elsewhere.jpg")
    bin = bin_of(photographs, [])
    move(bin, "a/link.jpg")
    assert not os.path.lexists(photographs / "a/link.jpg")
    assert (tmp_path / "elsewhere.jpg").read_text() == "elsewhere"
    bin.restore()
    assert (photographs / "a/link.jpg").readlink() == tmp_path / "elsewhere.jpg"


def test_a_folder_with_other_files_does_not_become_a_bin(photographs, tmp_path):
    with pytest.raises(InputError, match="holds other files"):
        move(Bin(photographs / "a", photographs), "b/1.jpg")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be used as a bin"):
        move(Bin(tmp_path / "file", photographs), "b/1.jpg")
    (tmp_path / "aside").mkdir()
    (photographs / BIN).symlink_to(tmp_path / "aside")
    with pytest.raises(InputError, match="is a link"):
        move(bin_of(photographs, []), "b/1.jpg")
    assert len(tree(photographs)) == 3
    named = bin_of(photographs, [], tmp_path / "aside")
    assert move(named, "b/1.jpg").photographs[0].file.is_relative_to(tmp_path / "aside")
    assert named.restore().photographs == ("b/1.jpg",)


def test_without_a_journal_nothing_moves(photographs, monkeypatch):
    def refused(*arguments, **options):
        raise CacheWriteError("no space left")

    monkeypatch.setattr("embed.moving.journal.files.append_line", refused)
    with pytest.raises(CacheWriteError):
        move(bin_of(photographs, []), "a/1.jpg")
    assert len(tree(photographs)) == 3 and (photographs / "a/1.jpg").exists()


def test_a_bin_moves_with_its_data_folder_and_knows_whose_photographs_it_holds(photographs, tmp_path):
    move(bin_of(photographs, []), "a/1.jpg")
    photographs = photographs.rename(tmp_path / "pictures")
    assert bin_of(photographs, []).restore().photographs == ("a/1.jpg",)
    shared = tmp_path / "aside"
    other = tmp_path / "other"
    (other / "a").mkdir(parents=True)
    (other / "a/1.jpg").write_text("other")
    for root in (photographs, other):
        move(Bin(shared, root), "a/1.jpg")
    assert [one.file.read_text() for one in Bin(shared, other).contents()] == ["other"]
    Bin(shared, photographs).restore()
    assert (photographs / "a/1.jpg").read_text() == "a/1.jpg" and not (other / "a/1.jpg").exists()


def test_the_bin_of_a_list_is_in_what_its_photographs_have_in_common():
    assert bin_of(Path("/"), ["tmp/a/1.jpg", "tmp/b/1.jpg"]).folder == Path("/tmp") / BIN
    with pytest.raises(UsageError, match="no folder in common"):
        bin_of(Path("/"), ["etc/1.jpg", "tmp/b/1.jpg"])


def found(source):
    told = list(source.find())
    assert not [one for one in told if isinstance(one, LeftOut)]
    return [one.name for one in told if isinstance(one, Item)]


@pytest.mark.parametrize("name", [BIN, "aside", "b/aside"])
def test_a_bin_is_never_extracted(photographs, name, monkeypatch):
    bin = Bin(photographs / name, photographs)
    binned = move(bin, "a/1.jpg").photographs[0].file
    (photographs / "a/link").symlink_to(binned.parent)
    for filters in (Filters(), Filters((), ("*.jpg",)), Filters((), (".*", "*"))):
        names = found(Folder(photographs, filters))
        assert [one for one in names if one.endswith(".jpg")] == ["a/2.jpg", "b/1.jpg"]
    monkeypatch.chdir(photographs)
    listed = f"a/2.jpg\n{binned.relative_to(photographs)}\n{name}\n"
    assert found(Listing(None, listed.encode())) == ["a/2.jpg"]
    with pytest.raises(InputError, match="is a bin"):
        list(Folder(photographs / name).find())


def test_a_journal_of_a_stranger_moves_nothing_out_of_its_place(photographs, tmp_path):
    bin = bin_of(photographs, [])
    move(bin, "a/1.jpg")
    (tmp_path / "victim.jpg").write_text("victim")
    lines = []
    for batch, path in (
        ("..", "../victim.jpg"),
        ("x", "../../victim.jpg"),
        ("x", "/etc/passwd"),
        ("x", 3),
        (None, "a"),
    ):
        document = {"batch": batch, "root": "..", "time": "", "reason": "", "photographs": [[path, 1, ""]]}
        lines.append(json.dumps(document).encode())
    lines += [b"[]", b"{}", b'{"batch": "x"}', b"[" * 10_000]
    with (photographs / BIN / BIN_JOURNAL).open("ab") as journal:
        for line in lines:
            journal.write(b"%s %s\n" % (xxhash.xxh3_64_hexdigest(line).encode(), line))
        journal.write(b"0123456789abcdef {cut sho")
    assert [one.path for one in bin.contents()] == ["a/1.jpg"]
    move(bin, "a/2.jpg")  # behind a line that was cut short
    assert [one.path for one in bin.contents()] == ["a/1.jpg", "a/2.jpg"]
    assert bin.restore().photographs == ("a/2.jpg",) and bin.restore().photographs == ("a/1.jpg",)
    assert (tmp_path / "victim.jpg").read_text() == "victim"


def test_names_that_are_no_text_come_back_as_they_were(photographs):
    name = os.fsdecode(b"a/\xff\n.jpg")
    (photographs / name).write_text("odd")
    bin = bin_of(photographs, [])
    move(bin, name)
    assert bin.restore().photographs == (name,)
    assert (photographs / name).read_text() == "odd"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_keeps_its_photographs(photographs):
    (photographs / "a").chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        moved = move(bin_of(photographs, []), "a/1.jpg", "b/1.jpg")
    finally:
        (photographs / "a").chmod(stat.S_IRWXU)
    assert [one.path for one in moved.photographs] == ["b/1.jpg"]
    assert [(one.path, one.problem) for one in moved.left] == [
        ("a/1.jpg", "cannot be moved: Permission denied")
    ]


def test_a_process_killed_before_any_of_its_calls_loses_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, SUPPORT / "bin_killed.py", tmp_path], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    killed = json.loads(done.stdout)
    assert killed["moving"] > 10 and killed["restoring"] > 5
    assert killed["in the bin"] == [0, 1, 2, 3]
