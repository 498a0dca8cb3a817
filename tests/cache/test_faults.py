"""What goes wrong with disks, processes and files, and what the user gets."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from cache_checker import check, check_files
from cache_faults import Calls
from cache_helpers import DIMENSION, fill, make_recipe, open_writer, row_of
from cache_world import PartsStore, World, synchronise

from embed import files
from embed.cache import batch, checked, find_features, list_features, open_features, verify
from embed.cache.fold import MOST_OPEN
from embed.errors import CacheDamagedError, CacheError, CacheFormatError, CacheLockedError, CacheWriteError

SUPPORT = Path(__file__).parents[1] / "support"

NAMES = [f"{i:03d}.jpg" for i in range(30)]


@pytest.fixture
def in_memory(tmp_path):
    """A folder in memory where the machine has one: for faults that are none of the disk."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else tmp_path) as folder:
        yield Path(folder)


@pytest.fixture
def small_disk(tmp_path):
    """Mount a file system of 256 KiB; the fixture gives its folder and a function that remounts it."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options):
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    if not mount("size=256k"):
        pytest.skip("this machine allows no mounting")
    yield folder, lambda options: mount(f"remount,{options}")
    subprocess.run(["umount", "-l", folder], check=True)


def only_part(cache_folder):
    (part,) = cache_folder.glob("*/part-*.h5")
    return part


def rows_are_right(cache):
    return all(np.array_equal(x, row_of(path).features) for path, x in zip(cache.paths, cache.X, strict=True))


# Disk full, I/O error, quota


def test_a_full_disk_is_told_and_loses_nothing(small_disk):
    folder, remount = small_disk
    committed = []

    def fill_the_disk():
        with open_writer(folder) as writer:
            for i in range(100):
                fill(writer, [f"{i:03d}.jpg"])
                writer.commit()
                committed.append(f"{i:03d}.jpg")

    with pytest.raises(CacheWriteError, match=r"cannot write .*data--m-\w+: No space left on device"):
        fill_the_disk()
    assert 3 < len(committed) < 100
    cache = open_features(folder / "cache")
    assert cache.paths.tolist() == committed
    assert rows_are_right(cache)
    remount("size=20m")
    with open_writer(folder) as writer:
        assert len(writer.known) == len(committed)
        fill(writer, NAMES)
    assert set(NAMES) <= set(open_features(folder / "cache").paths)
    assert not list(folder.glob("cache/*/.tmp*"))


def test_embed_extract_on_a_full_disk_ends_with_one_sentence(small_disk, tmp_path, run_embed):
    from PIL import Image

    folder, _remount = small_disk
    data = tmp_path / "photographs"
    data.mkdir()
    for i in range(300):
        Image.new("RGB", (8, 8), (i % 256, i // 256, 0)).save(data / f"{i}.png")
    done = run_embed("extract", data, "--backbone", "tiny", "--cache", folder / "cache")
    assert done.returncode == 1
    sentences = [line for line in done.stderr.splitlines() if line.startswith("embed: ")]
    assert len(sentences) == 1
    assert str(folder) in sentences[0]
    assert "No space left on device" in sentences[0]
    assert "Traceback" not in done.stderr


def test_an_error_from_any_system_call_is_told_and_loses_nothing(in_memory):
    world, failed = World(files=3), 0
    for number in range(10_000):
        code = (errno.ENOSPC, errno.EIO, errno.EDQUOT)[number % 3]
        store, committed = PartsStore(in_memory / str(number)), []
        (store.folder / "data").mkdir(parents=True)
        with Calls(store.folder) as calls:
            calls.fail = lambda *_, calls=calls, at=number + 1, code=code: code if calls.count == at else 0
            try:
                synchronise(store, world, 0, committed.append)
            except CacheWriteError as error:
                assert os.strerror(code) in str(error)
                assert str(store.folder) in str(error)
                failed += 1
        assert check(store, world, committed, 0) == []
        synchronise(store, world, 0, committed.append)
        assert check(store, world, committed, 0, swept=True) == []
        shutil.rmtree(store.folder)
        if calls.count <= number:
            break
    assert failed > 30


def test_too_many_parts_for_the_open_files_allowed_are_told_with_what_to_do(tmp_path):
    with open_writer(tmp_path, rows_per_part=1) as writer:
        fill(writer, NAMES)
    parts_there = len(list(writer.folder.glob("part-*")))
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + parts_there // 2, allowed[1]))
    try:
        with pytest.raises(
            CacheError, match=r"cannot read .*: Too many open files; allow more with ulimit -n"
        ):
            open_features(tmp_path / "cache")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, allowed)


# A second writer, and readers


def hold_lock(folder):
    """Start a process that opens a writer and says so."""
    code = f"""
import signal, sys; sys.path.insert(0, {str(SUPPORT)!r})
from pathlib import Path; from cache_helpers import *
writer = open_writer(Path({str(folder)!r})); print("open", flush=True); signal.pause()
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"open\n"
    return process


def test_a_second_writer_is_refused_at_once_and_readers_are_not(tmp_path):
    with open_writer(tmp_path) as writer:
        fill(writer, NAMES)
    process = hold_lock(tmp_path)
    try:
        started = time.monotonic()
        expected = f"being written by process {process.pid} on {os.uname().nodename}"
        with pytest.raises(CacheLockedError, match=expected):
            open_writer(tmp_path)
        assert time.monotonic() - started < 5
        assert rows_are_right(open_features(tmp_path / "cache"))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    open_writer(tmp_path).close()


def forking_writer(folder, child, parent):
    """Start a process that opens a writer in ``folder`` and forks; the child lives on in the process's session."""
    code = f"""
import os, signal, sys
os.register_at_fork(after_in_child=lambda: {child})  # runs before the handlers of what is imported below
sys.path.insert(0, {str(SUPPORT)!r})
from pathlib import Path; from cache_helpers import *
writer = open_writer(Path({str(folder)!r}))
if os.fork() == 0:
    print("forked", flush=True); os.close(1); signal.pause()
{parent}
"""
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def end_session(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()


def test_a_lock_that_was_released_is_free_however_slow_a_forked_child_is(tmp_path):
    process = forking_writer(
        tmp_path,
        child="signal.pause()",
        parent="writer.close(); print('released', flush=True); signal.pause()",
    )
    try:
        assert process.stdout.readline() == "released\n"
        open_writer(tmp_path).close()
    finally:
        end_session(process)


def test_a_forked_child_does_not_keep_the_lock_of_a_process_that_died(tmp_path):
    process = forking_writer(tmp_path, child="None", parent="signal.pause()")
    try:
        assert process.stdout.readline() == "forked\n"
        with pytest.raises(CacheLockedError):
            open_writer(tmp_path)
        process.kill()
        process.wait()
        open_writer(tmp_path).close()
    finally:
        end_session(process)


def test_a_snapshot_stays_readable_while_the_writer_folds_its_parts(tmp_path):
    with open_writer(tmp_path, rows_per_part=1) as writer:
        fill(writer, NAMES[:10])
        writer.commit()
        snapshot = open_features(tmp_path / "cache")
        fill(writer, NAMES)
        assert not any((snapshot.folder / name).exists() for name in snapshot.parts)
        assert snapshot.paths.tolist() == NAMES[:10]
        assert rows_are_right(snapshot)
        assert open_features(tmp_path / "cache").paths.tolist() == NAMES
        assert open_features(tmp_path / "cache").fingerprint != snapshot.fingerprint


# Damage


def damages(data):
    """Yield a name and the damaged bytes: flips in every region, cuts, zeroed pages."""
    size = len(data)
    for position in sorted({*range(0, size, 4111), *range(size - 40, size)}):
        yield f"flip at {position}", data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :]
    for kept in (0, 1, 24, size // 3, size - 1):
        yield f"cut to {kept}", data[:kept]
    for start in range(0, size, 16384):
        page = data[start : start + 4096]
        if page.strip(b"\0"):
            yield f"zeroed page at {start}", data[:start] + bytes(len(page)) + data[start + 4096 :]
    yield "zeroed", bytes(size)
    yield "grown", data + b"x"


def test_damage_anywhere_is_found_and_named(tmp_path):
    with open_writer(tmp_path, dimension=700) as writer:
        fill(writer, NAMES, dimension=700)
    part = only_part(tmp_path / "cache")
    data = part.read_bytes()
    (found,) = list_features(tmp_path / "cache")
    for name, damaged in damages(data):
        part.write_bytes(damaged)
        try:
            cache = open_features(tmp_path / "cache")
            assert np.array_equal(cache.X, [row_of(path, dimension=700).features for path in NAMES]), name
        except CacheDamagedError as error:
            assert str(part) in str(error), name
        assert list(verify(found).damaged) == [part.name], name
    part.write_bytes(data)
    assert (verify(found).parts, verify(found).rows, verify(found).damaged) == (1, 30, {})


@pytest.mark.parametrize("damage", ["flip", "cut", "delete"])
def test_a_damaged_part_is_set_aside_and_its_rows_are_computed_again(tmp_path, damage):
    with open_writer(tmp_path, rows_per_part=10) as writer:
        fill(writer, NAMES)
    part = sorted((tmp_path / "cache").glob("*/part-*.h5"))[1]
    data = part.read_bytes()
    if damage == "delete":
        part.unlink()
    else:
        part.write_bytes(data[:-1] + b"?" if damage == "flip" else data[: len(data) // 2])
    (found,) = list_features(tmp_path / "cache")
    for quick in (True, False):
        assert list(verify(found, quick).damaged) == [part.name]
    with pytest.raises(CacheDamagedError, match=part.name):
        _ = open_features(tmp_path / "cache").X
    with open_writer(tmp_path) as writer:
        assert list(writer.damaged) == [part.name]
        assert writer.known.paths.tolist() == NAMES[:10] + NAMES[20:]
        aside = part.parent / "damaged" / part.name
        assert aside.exists() == (damage != "delete")
        fill(writer, NAMES[10:20])
        writer.write_failures([])
    assert open_features(tmp_path / "cache").paths.tolist() == NAMES
    assert rows_are_right(open_features(tmp_path / "cache"))
    assert verify(found).damaged == {}


def test_rows_that_a_lost_part_may_have_superseded_are_not_trusted_by_their_time(tmp_path):
    with open_writer(tmp_path) as writer:
        fill(writer, ["a.jpg", "b.jpg"])
    first = only_part(tmp_path / "cache")
    with open_writer(tmp_path) as writer:
        fill(writer, ["a.jpg"], version=2)
    for part in set(tmp_path.glob("cache/*/part-*")) - {first}:
        part.unlink()
    for _attempt in range(2):  # also by the run after one that was killed before it came to its end
        writer = open_writer(tmp_path)
        assert writer.known.paths.tolist() == ["a.jpg", "b.jpg"]
        assert not set(writer.known.mtimes_ns) & {row_of("a.jpg").mtime_ns, row_of("b.jpg").mtime_ns}
        writer.close()
        with pytest.raises(CacheDamagedError):
            open_features(tmp_path / "cache")
    with open_writer(tmp_path) as writer:
        row = row_of("b.jpg")
        writer.copy("b.jpg", row.size, row.mtime_ns, writer.known.index_of("b.jpg"))
        fill(writer, ["a.jpg"], version=2)
        writer.write_failures([])
    cache = open_features(tmp_path / "cache")
    assert np.array_equal(cache.X, [row_of("a.jpg", 2).features, row_of("b.jpg").features])
    assert cache.mtimes_ns[1] == row.mtime_ns


def test_a_folded_part_that_is_damaged_gives_way_to_those_it_replaced(tmp_path):
    names = [f"{i:03d}.jpg" for i in range(MOST_OPEN + 1)]
    with open_writer(tmp_path, rows_per_part=1) as writer:
        fill(writer, names[:-1])
    folder = writer.folder
    small = {part.name: part.read_bytes() for part in folder.glob("part-*")}
    assert len(small) == MOST_OPEN
    with open_writer(tmp_path, rows_per_part=1) as writer:
        fill(writer, names[-1:])
    folded = only_part(tmp_path / "cache")
    # As after a crash between publishing the folded part and deleting the others, and a flipped bit.
    for name, data in small.items():
        (folder / name).write_bytes(data)
    folded.write_bytes(folded.read_bytes()[:-1] + b"?")
    with open_writer(tmp_path) as writer:
        assert list(writer.damaged) == [folded.name]
        assert writer.known.paths.tolist() == names[:-1]


# A read-only folder


def test_a_read_only_folder_can_be_read_and_says_why_it_cannot_be_written(small_disk):
    folder, remount = small_disk
    with open_writer(folder) as writer:
        fill(writer, NAMES[:5])
    remount("ro")
    assert rows_are_right(open_features(folder / "cache"))
    assert verify(find_features(folder / "cache")).damaged == {}
    with pytest.raises(CacheWriteError, match="Read-only file system"):
        open_writer(folder)
    remount("rw")


def test_a_folder_without_permission_says_so(tmp_path):
    with open_writer(tmp_path) as writer:
        fill(writer, NAMES[:5])
    with (
        Calls(tmp_path / "cache", fail=lambda call, path: errno.EACCES),
        pytest.raises(CacheWriteError, match="Permission denied"),
    ):
        open_writer(tmp_path)


# Foreign and newer files, other recipes


@pytest.mark.parametrize("name", ["features.h5", "part-1.h5", "part-00000001-0123456789abcdef.h5"])
def test_a_foreign_file_is_refused(tmp_path, name):
    with open_writer(tmp_path) as writer:
        fill(writer, NAMES)
    (writer.folder / name).write_bytes(b"anything")
    for use in (lambda: open_features(tmp_path / "cache"), lambda: open_writer(tmp_path)):
        with pytest.raises(CacheFormatError, match=f"{name}.*expected part-"):
            use()


def test_files_of_the_system_are_ignored(tmp_path):
    with open_writer(tmp_path) as writer:
        fill(writer, NAMES)
    for name in (".DS_Store", f"._{only_part(tmp_path / 'cache').name}", "notes.txt", "index.faiss"):
        (writer.folder / name).write_bytes(b"anything")
    assert rows_are_right(open_features(tmp_path / "cache"))


def test_a_whole_file_of_another_format_is_refused_not_called_damaged(tmp_path):
    with open_writer(tmp_path) as writer:
        fill(writer, NAMES)
    data = b"a format of the future"
    name = f"part-00000002-{'0' * 16}-{checked.digest(data)}.h5"
    (writer.folder / name).write_bytes(data)
    with pytest.raises(CacheFormatError, match=rf"{name} is of a format that .*format version 2"):
        open_features(tmp_path / "cache")


def test_a_newer_part_is_refused_with_both_versions(tmp_path, monkeypatch):
    with open_writer(tmp_path) as writer:
        fill(writer, NAMES)
    nothing = batch.Batch([], np.empty((0, 32)), np.empty(0), np.empty(0), [], np.empty((0, DIMENSION)))
    monkeypatch.setattr(batch, "FORMAT_VERSION", 3)
    with files.Draft(writer.folder) as draft:
        name = batch.part_name(2, batch.write(draft, nothing, make_recipe()))
        draft.publish(name)
    with pytest.raises(CacheFormatError, match=rf"{name} is of format version 3; this embed understands 2"):
        open_features(tmp_path / "cache")


def test_a_newer_set_is_refused_with_both_versions(tmp_path):
    with open_writer(tmp_path) as writer:
        fill(writer, NAMES)
    meta = writer.folder / "meta.json"
    files.write_document(writer.folder, meta.name, files.read_document(meta) | {"format_version": 3})
    for use in (lambda: open_features(tmp_path / "cache"), lambda: open_writer(tmp_path)):
        with pytest.raises(CacheFormatError, match="is of format version 3; this embed understands 2"):
            use()


def test_features_of_another_recipe_are_kept_apart(tmp_path):
    recipes = [
        make_recipe(),
        make_recipe(weights_sha256="cd" * 32),
        make_recipe(views=2),
        make_recipe(decoder=2),
    ]
    recipes.append(make_recipe(precision="bfloat16"))
    for recipe in recipes:
        with open_writer(tmp_path, recipe=recipe) as writer:
            assert len(writer.known) == 0
            views = np.zeros((recipe.views - 1, DIMENSION)) if recipe.views > 1 else None
            writer.put("a.jpg", bytes(32), 1, 1, row_of("a.jpg").features, views)
    assert len({found.folder for found in list_features(tmp_path / "cache")}) == len(recipes)
    # The name under which weights are known is no part of what they are.
    assert make_recipe(weights="other.h5").hash == make_recipe().hash


def test_a_part_of_another_recipe_is_refused(tmp_path):
    for recipe in (make_recipe(), make_recipe(size=64)):
        with open_writer(tmp_path, recipe=recipe) as writer:
            fill(writer, [f"{recipe.size}.jpg"])
    foreign = next(part for part in tmp_path.glob("cache/*/part-*") if part.parent != writer.folder)
    shutil.copy(foreign, writer.folder)
    assert [violation[0] for violation in check_files(tmp_path / "cache")] == ["8"]
    for use in (open_features, lambda cache: open_writer(cache.parent, recipe=make_recipe(size=64))):
        with pytest.raises(CacheFormatError, match=f"{foreign.name} holds features of another recipe"):
            use(tmp_path / "cache")
