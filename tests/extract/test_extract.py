"""The pipeline: what is computed, what is reused, what leaves, and that a row belongs to its photograph."""

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from failing_disk import FailingDisk
from PIL import Image

from embed import demo, images, sources
from embed.backbones import Network
from embed.cache import open_features
from embed.cli import main
from embed.cli.extracted import tell
from embed.errors import CacheError, InputError, UsageError
from embed.extract import FeatureOptions, RunOptions, embed_files, extract_features
from embed.extract.outside import network_of

COLOURS = {"red": (200, 30, 30), "green": (20, 180, 40), "blue": (10, 40, 220), "grey": (128, 128, 128)}


@pytest.fixture
def photographs(tmp_path):
    """Four pictures of one colour each, two folders."""
    folder = tmp_path / "photographs"
    for i, (name, colour) in enumerate(COLOURS.items()):
        place = folder / ("warm" if i < 2 else "cold")
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40 + i, 30), colour).save(place / f"{name}.png")
    return folder


TINY = FeatureOptions(network=Network("tiny"))


def extract(folder, **run):
    return extract_features(folder, folder.parent / "cache", TINY, RunOptions(**run))


def rows(folder):
    """The feature set as a mapping from path to features."""
    features = open_features(folder.parent / "cache")
    return dict(zip(features.paths.tolist(), features.X, strict=True))


def assert_rows_are_the_colours(folder):
    found = rows(folder)
    for path, features in found.items():
        np.testing.assert_allclose(features, COLOURS[Path(path).stem.split("-")[0]], atol=0.01)
    return sorted(found)


def test_every_row_belongs_to_its_photograph(photographs, backbone):
    summary = extract(photographs)
    assert (summary.images, summary.extracted, summary.reused, summary.failed) == (4, 4, 0, 0)
    assert assert_rows_are_the_colours(photographs) == [
        "cold/blue.png",
        "cold/grey.png",
        "warm/green.png",
        "warm/red.png",
    ]


def test_a_second_run_computes_nothing(photographs, backbone):
    extract(photographs)
    backbone.seen = 0
    summary = extract(photographs)
    assert backbone.seen == 0
    assert (summary.extracted, summary.reused, summary.removed) == (0, 4, 0)


def test_only_a_changed_photograph_is_computed_again(photographs, backbone):
    extract(photographs)
    backbone.seen = 0
    Image.new("RGB", (33, 33), COLOURS["grey"]).save(photographs / "warm" / "grey-now.png")
    os.replace(photographs / "warm" / "grey-now.png", photographs / "warm" / "red.png")
    summary = extract(photographs)
    assert (backbone.seen, summary.extracted, summary.reused) == (1, 1, 3)
    np.testing.assert_allclose(rows(photographs)["warm/red.png"], COLOURS["grey"], atol=0.01)


def test_a_moved_photograph_is_recognised_by_its_content(photographs, backbone):
    extract(photographs)
    backbone.seen = 0
    os.rename(photographs / "warm" / "red.png", photographs / "cold" / "red-moved.png")
    summary = extract(photographs)
    assert (backbone.seen, summary.reused, summary.removed) == (0, 4, 1)
    assert "cold/red-moved.png" in assert_rows_are_the_colours(photographs)
    assert len(rows(photographs)) == 4


def test_a_touched_photograph_is_not_computed_again(photographs, backbone):
    extract(photographs)
    backbone.seen = 0
    os.utime(photographs / "warm" / "red.png", ns=(1, 1))
    assert extract(photographs).extracted == backbone.seen == 0
    features = open_features(photographs.parent / "cache")
    assert features.mtimes_ns[list(features.paths).index("warm/red.png")] == 1


@pytest.mark.parametrize("waited_for", ["forward", "decode"])
def test_that_bfloat16_is_faster_is_known_where_the_backbone_is_waited_for(
    photographs, backbone, monkeypatch, waited_for
):
    monkeypatch.setattr("embed.extract.pipeline.Timing.bottleneck", waited_for)
    monkeypatch.setattr("embed.backbones.faster_in_bfloat16", lambda device: True)
    assert extract(photographs).bfloat16 == (waited_for == "forward")


@pytest.mark.parametrize(
    ("bfloat16", "seconds", "told"), [(True, 60.0, True), (True, 1.0, False), (False, 60.0, False)]
)
def test_a_long_extraction_says_what_bfloat16_would_give(
    photographs, backbone, capsys, bfloat16, seconds, told
):
    summary = dataclasses.replace(extract(photographs), bfloat16=bfloat16, seconds=seconds)
    tell(summary, "folders", [photographs], as_json=True)
    assert ("--precision bf16" in capsys.readouterr().err) == told


def test_rows_of_vanished_photographs_leave(photographs, backbone):
    extract(photographs)
    os.remove(photographs / "warm" / "red.png")
    assert extract(photographs).removed == 1
    assert "warm/red.png" not in rows(photographs)


def test_rehash_finds_a_change_that_size_and_time_hide(photographs, backbone):
    target = photographs / "warm" / "red.bmp"
    Image.new("RGB", (20, 20), COLOURS["red"]).save(target)
    extract(photographs)
    status = target.stat()
    Image.new("RGB", (20, 20), COLOURS["blue"]).save(target)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert extract(photographs).extracted == 0
    assert extract(photographs, rehash=True).extracted == 1
    np.testing.assert_allclose(rows(photographs)["warm/red.bmp"], COLOURS["blue"], atol=0.01)


def test_a_file_that_cannot_be_decoded_is_a_failure_until_it_changes(photographs, backbone):
    bad = photographs / "warm" / "bad.jpg"
    bad.write_text("<html>not found</html>")
    summary = extract(photographs)
    assert (summary.images, summary.extracted, summary.failed) == (5, 4, 1)
    (failure,) = open_features(photographs.parent / "cache").failures()
    assert failure.path == "warm/bad.jpg" and "HTML" in failure.reason
    assert extract(photographs).failed == 1
    Image.new("RGB", (9, 9), COLOURS["red"]).save(bad)
    assert extract(photographs).failed == 0
    assert len(rows(photographs)) == 5


def test_a_photograph_that_breaks_loses_its_row(photographs, backbone):
    extract(photographs)
    (photographs / "warm" / "red.png").write_bytes(b"")
    summary = extract(photographs)
    assert (summary.images, summary.reused, summary.failed) == (4, 3, 1)
    assert "warm/red.png" not in rows(photographs)


def test_rows_below_a_folder_that_cannot_be_read_stay(photographs, backbone, monkeypatch):
    extract(photographs)
    FailingDisk(monkeypatch, errno.EACCES).listing.append(
        "warm"
    )  # root may read everything, whatever the mode says
    summary = extract(photographs)
    assert (summary.failed, summary.reused, summary.unreachable, summary.removed) == (1, 2, 2, 0)
    assert summary.unreachable_places == (("warm", "the folder cannot be read: permission denied"),)
    assert len(rows(photographs)) == 4


def test_no_row_leaves_when_the_disk_goes_away(photographs, backbone, monkeypatch, capfd):
    extract(photographs)
    FailingDisk(monkeypatch).listing.append("photographs")
    assert (
        main(
            ["extract", str(photographs), "--backbone", "tiny", "--cache", str(photographs.parent / "cache")]
        )
        == 1
    )
    out, err = capfd.readouterr()
    assert out == ""
    assert err == f"embed: The folder {photographs} cannot be read: input/output error.\n"
    assert len(rows(photographs)) == 4


def test_rows_whose_files_cannot_be_looked_at_stay_and_are_not_computed_again(
    photographs, backbone, monkeypatch
):
    extract(photographs)
    backbone.seen = 0
    with monkeypatch.context() as patch:
        FailingDisk(patch, errno.ESTALE).stat.append("red.png")
        summary = extract(photographs)
    assert (summary.failed, summary.reused, summary.unreachable, summary.removed) == (0, 3, 1, 0)
    assert summary.unreachable_places == (("warm/red.png", "cannot be read: stale file handle"),)
    assert open_features(photographs.parent / "cache").failures() == []
    assert extract(photographs).reused == 4
    assert backbone.seen == 0


def test_rows_of_photographs_that_cannot_be_read_again_stay(photographs, backbone, monkeypatch):
    extract(photographs)
    with monkeypatch.context() as patch:
        FailingDisk(patch).opening.append("red.png")
        summary = extract(photographs, rehash=True)
    assert (summary.failed, summary.reused, summary.unreachable, summary.removed) == (0, 3, 1, 0)
    assert len(rows(photographs)) == 4


@pytest.mark.parametrize("name", ["disk", "disk.png", "disk/red.png"])
def test_rows_behind_a_link_into_a_disk_that_is_not_mounted_stay(photographs, backbone, tmp_path, name):
    disk, away = tmp_path / "disk", tmp_path / "away"
    (disk / "inner").mkdir(parents=True)
    for place in ("red", "red.png", "inner/red.png"):
        Image.new("RGB", (20, 20), COLOURS["red"]).save(disk / place, "PNG")
    target = {"disk": "inner", "disk.png": "red", "disk/red.png": "red.png"}[name]
    (photographs / name).parent.mkdir(exist_ok=True)
    (photographs / name).symlink_to(disk / target)
    assert extract(photographs).extracted == 5
    disk.rename(away)
    summary = extract(photographs)
    assert (summary.unreachable, summary.reused, summary.removed) == (1, 4, 0)
    away.rename(disk)
    assert extract(photographs).reused == 5


def test_a_photograph_without_the_name_of_one_keeps_its_row_while_it_cannot_be_opened(
    photographs, backbone, monkeypatch
):
    (photographs / "warm" / "red.png").rename(photographs / "warm" / "red")
    (photographs / "notes.txt").write_text("no photograph")
    extract(photographs)
    disk = FailingDisk(monkeypatch, errno.EACCES)
    disk.opening += ["warm/red", "notes.txt"]
    summary = extract(photographs)
    assert (summary.failed, summary.reused, summary.unreachable, summary.removed) == (0, 3, 1, 0)


def test_a_new_photograph_that_cannot_be_looked_at_is_tried_again_in_the_next_run(
    photographs, backbone, monkeypatch
):
    with monkeypatch.context() as patch:
        FailingDisk(patch, errno.ESTALE).stat.append("red.png")
        summary = extract(photographs)
    assert (summary.failed, summary.extracted, summary.unreachable) == (1, 3, 0)
    assert extract(photographs).extracted == 1


@pytest.fixture
def many(tmp_path):
    """Fifty pictures, each of a colour of its own."""
    folder = tmp_path / "many"
    for number in range(50):
        place = folder / f"{number % 2}"
        place.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (9, 9), (5 * number, 0, 0)).save(place / f"{number:02}.png")
    return folder


def test_most_of_a_set_is_not_removed_unasked_and_what_is_new_is_kept(many, backbone):
    extract(many)
    for file in sorted(many.rglob("*.png"))[:26]:
        file.unlink()
    Image.new("RGB", (9, 9), "white").save(many / "new.png")
    summary = extract(many)
    assert (summary.extracted, summary.reused, summary.removed, summary.kept) == (1, 24, 0, 26)
    assert len(rows(many)) == 51
    summary = extract(many, allow_removals=True)
    assert (summary.extracted, summary.reused, summary.removed, summary.kept) == (0, 25, 26, 0)
    assert len(rows(many)) == 25


def test_the_refusal_to_remove_most_of_a_set_is_told(many, backbone, capfd):
    arguments = ["extract", str(many), "--backbone", "tiny", "--cache", str(many.parent / "cache")]
    main(arguments)
    for file in sorted(many.rglob("*.png"))[:26]:
        file.unlink()
    capfd.readouterr()
    assert main(arguments) == 1
    assert "photographs of 26 rows" in (told := capfd.readouterr().err) and "--allow-removals" in told
    assert main([*arguments, "--allow-removals"]) == 0
    assert ", 26 removed" in capfd.readouterr().out


@pytest.mark.parametrize("gone", [20, 25])
def test_half_of_a_set_or_few_rows_are_removed_unasked(many, backbone, gone):
    extract(many)
    for file in sorted(many.rglob("*.png"))[:gone]:
        file.unlink()
    assert extract(many).removed == gone


def test_a_small_set_may_lose_most_of_its_rows(many, backbone):
    for file in sorted(many.rglob("*.png"))[:25]:
        file.unlink()
    extract(many)
    for file in sorted(many.rglob("*.png"))[:20]:
        file.unlink()
    assert extract(many).removed == 20


def test_most_of_a_set_does_not_leave_because_its_files_became_something_else(many, backbone):
    extract(many)
    for file in sorted(many.rglob("*.png"))[:26]:
        file.write_text("version https://git-lfs.github.com/spec/v1")
    for _ in range(2):
        summary = extract(many)
        assert (summary.failed, summary.reused, summary.removed, summary.kept) == (26, 24, 0, 26)
        assert len(rows(many)) == 50
    assert extract(many, allow_removals=True).kept == 0
    assert len(rows(many)) == 24


def test_rows_of_photographs_that_moved_are_no_loss(many, backbone):
    extract(many)
    (many / "moved").mkdir()
    for name in ("0", "1"):
        (many / name).rename(many / "moved" / name)
    summary = extract(many)
    assert (summary.extracted, summary.reused, summary.removed, summary.kept) == (0, 50, 50, 0)
    assert len(rows(many)) == 50


def test_an_error_in_the_search_for_photographs_ends_the_extraction(photographs, backbone, monkeypatch):
    extract(photographs)
    found = sources.Folder.find

    def find(source):
        yield from list(found(source))[:2]
        raise RecursionError("too deep")

    monkeypatch.setattr(sources.Folder, "find", find)
    with pytest.raises(InputError, match=r"broke off.*too deep"):
        extract(photographs)
    assert len(rows(photographs)) == 4


def test_an_empty_folder_does_not_empty_the_cache(photographs, backbone):
    extract(photographs)
    os.rename(photographs, photographs.with_name("elsewhere"))
    photographs.mkdir()
    with pytest.raises(InputError, match="no image"):
        extract(photographs)
    assert len(rows(photographs)) == 4


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("batch_size", [1, 3])
def test_threads_and_batches_do_not_change_the_rows(photographs, backbone, workers, batch_size):
    rng = np.random.default_rng(0)
    for i in range(10):
        Image.fromarray(rng.integers(0, 255, (50, 60, 3), np.uint8)).save(photographs / f"noise-{i}.png")
    extract(photographs)
    first = open_features(photographs.parent / "cache")
    summary = extract_features(
        photographs, photographs.parent / "other", TINY, RunOptions(workers=workers, batch_size=batch_size)
    )
    second = open_features(photographs.parent / "other")
    assert summary.extracted == 14
    assert first.paths.tolist() == second.paths.tolist()
    assert (first.X == second.X).all() and (first.sha256 == second.sha256).all()


@pytest.mark.parametrize(("value", "dtype"), [(np.nan, "float32"), (np.inf, "float32"), (1e5, "float16")])
def test_features_that_cannot_be_used_fail_their_photograph_alone(
    photographs, backbone, monkeypatch, value, dtype
):
    run = backbone.run

    def overflowing(batch):
        features = run(batch)
        features[features[:, 0] == COLOURS["red"][0], 1] = value
        return features

    monkeypatch.setattr(backbone, "run", overflowing)
    options = FeatureOptions(network=Network("tiny"), dtype=dtype)
    summary = extract_features(photographs, photographs.parent / "cache", options)
    assert (summary.extracted, summary.failed) == (3, 1)
    features = open_features(photographs.parent / "cache")
    assert np.isfinite(features.X).all()
    (failure,) = features.failures()
    assert failure.path == "warm/red.png" and "features" in failure.reason
    backbone.seen = 0
    assert extract_features(photographs, photographs.parent / "cache", options).failed == 1
    assert backbone.seen == 0


def test_a_date_that_no_int64_holds_is_one_as_any_other(photographs, backbone):
    os.utime(photographs / "warm" / "red.png", (13_569_465_600, 13_569_465_600))  # 1 January 2400
    os.utime(photographs / "cold" / "blue.png", (-3_000_000_000, -3_000_000_000))  # 1874
    assert extract(photographs).extracted == 4
    backbone.seen = 0
    assert extract(photographs).reused == 4
    assert extract(photographs, rehash=True).reused == 4
    assert backbone.seen == 0


def test_what_a_decoder_of_before_made_is_computed_again_and_nothing_else(photographs, backbone, monkeypatch):
    Image.new("RGB", (9, 9), COLOURS["red"]).save(photographs / "warm" / "red.bmp")
    extract(photographs)
    features = open_features(photographs.parent / "cache")
    assert dict(zip(features.paths, features.decoders, strict=True))["warm/red.bmp"] == b"BMP 1"
    os.utime(photographs / "warm" / "green.png", ns=(1, 1))
    extract(photographs)  # one that was copied keeps its decoder
    monkeypatch.setitem(images.DECODER_VERSIONS, "PNG", 99)
    backbone.seen = 0
    summary = extract(photographs)
    assert (backbone.seen, summary.extracted, summary.reused) == (4, 4, 1)
    monkeypatch.setitem(images.DECODER_VERSIONS, "BMP", 99)
    assert extract(photographs).extracted == 1


def test_contents_that_are_there_twice_are_not_written_again(photographs, backbone):
    for name in ("a.png", "z.png"):
        (photographs / name).write_bytes((photographs / "warm" / "red.png").read_bytes())
    extract(photographs)
    before = open_features(photographs.parent / "cache").fingerprint
    assert extract(photographs, rehash=True).reused == 6
    assert open_features(photographs.parent / "cache").fingerprint == before


def test_known_photographs_are_told_from_new_ones_between_them(photographs, backbone):
    extract(photographs)
    for name in ("a", "warm/a", "warm/s", "cold/c", "cold", "z"):
        Image.new("RGB", (9, 9), len(name) * 8).save(photographs / f"{name}.png")
    summary = extract(photographs)
    assert (summary.extracted, summary.reused, summary.removed) == (6, 4, 0)


def test_a_failure_below_a_folder_that_cannot_be_read_is_remembered(photographs, backbone, monkeypatch):
    (photographs / "warm" / "bad.jpg").write_text("<html>")
    extract(photographs)
    with monkeypatch.context() as patch:
        FailingDisk(patch).listing.append("warm")
        assert extract(photographs).failed == 2
    failures = open_features(photographs.parent / "cache").failures()
    assert [failure.path for failure in failures] == ["warm", "warm/bad.jpg"]
    assert failures[1].size == 6
    assert extract(photographs).failed == 1


def test_a_photograph_that_another_thing_took_the_place_of_loses_its_row(photographs, backbone):
    extract(photographs)
    (photographs / "warm" / "red.png").unlink()
    (photographs / "warm" / "red.png").mkdir()
    summary = extract(photographs)
    assert (summary.failed, summary.unreachable, summary.removed) == (1, 0, 1)
    assert len(rows(photographs)) == 3


def test_a_photograph_that_is_too_large_now_loses_the_row_of_what_it_was(photographs, backbone):
    extract(photographs)
    Image.new("RGB", (200, 200), COLOURS["red"]).save(photographs / "warm" / "red.png")
    summary = extract(photographs, max_pixels=10_000)
    assert (summary.failed, summary.unreachable) == (1, 0)
    assert "warm/red.png" not in rows(photographs)
    assert extract(photographs).extracted == 1  # the limit was at fault, not the photograph


def test_two_recipes_are_kept_apart(photographs, backbone):
    first = extract(photographs)
    second = extract_features(
        photographs, photographs.parent / "cache", FeatureOptions(network=Network("tiny"), fit="pad")
    )
    assert first.features != second.features
    assert second.extracted == 4
    padded = dict(
        zip((f := open_features(photographs.parent / "cache", second.features)).paths, f.X, strict=True)
    )
    assert (padded["warm/red.png"] > COLOURS["red"]).all()  # white beside it


def test_views_are_stored_beside_the_plain_photograph(photographs, backbone):
    Image.linear_gradient("L").convert("RGB").save(photographs / "gradient.png")
    options = FeatureOptions(network=Network("tiny"), views=3, view_seed=5)
    extract_features(photographs, photographs.parent / "cache", options)
    features = open_features(photographs.parent / "cache")
    assert features.views.shape == (5, 2, 3)
    assert backbone.seen == 15
    row = list(features.paths).index("gradient.png")
    assert len(np.unique(np.vstack([features.X[row], features.views[row]]), axis=0)) == 3


def test_photographs_outside_the_cache_are_embedded_as_its_rows_were(photographs, backbone, tmp_path):
    extract(photographs)
    backbone.seen = 0
    stranger = tmp_path / "stranger.png"
    Image.new("RGB", (80, 20), (1, 2, 3)).save(stranger)
    broken = tmp_path / "broken.png"
    broken.write_bytes(stranger.read_bytes()[:40])
    known = photographs / "warm" / "red.png"
    cache = open_features(tmp_path / "cache")
    new, old, failed = embed_files([stranger, known, broken], cache)
    np.testing.assert_allclose(new.features, [(1, 2, 3)], atol=0.01)
    np.testing.assert_allclose(old.features, [COLOURS["red"]], atol=0.01)
    assert old.cached and not new.cached and backbone.seen == 1
    assert failed.features is None and failed.problem


def test_pixels_of_another_decoder_are_not_compared(photographs, backbone, tmp_path, monkeypatch):
    extract(photographs)
    cache = open_features(tmp_path / "cache")
    monkeypatch.setattr("embed.images.DECODER_VERSION", 99)
    with pytest.raises(CacheError, match="embed extract"):
        network_of(cache)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: FeatureOptions(fit="squeeze"),
            "fit 'squeeze' is not known; it is one of stretch, crop, pad",
        ),
        (
            lambda: FeatureOptions(network=Network("tiny", pooling="none")),
            "pooling 'none' is not known; it is one of avg, max, grid, flatten",
        ),
        (lambda: FeatureOptions(precision="int3"), "precision 'int3' is not known"),
        (lambda: FeatureOptions(dtype=None), "dtype None is not known; it is one of float32, float16"),
        (lambda: FeatureOptions(views=0), "views 0 cannot work; it is 1 or more"),
        (lambda: FeatureOptions(views="3"), "views '3' cannot work"),
        (lambda: RunOptions(workers=0), "workers 0 cannot work"),
        (lambda: RunOptions(batch_size=-1), "batch_size -1 cannot work"),
        (lambda: RunOptions(max_pixels=0), "max_pixels 0 cannot work"),
    ],
)
def test_an_option_that_cannot_work_is_refused_by_its_name(make, sentence):
    with pytest.raises(UsageError, match=f"^{sentence}"):
        make()


# From here on the real thing: real processes, the real backbone.


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """The pictures of the demo, and the feature set that `tiny` makes of them."""
    place = tmp_path_factory.mktemp("drawn")
    demo.draw(place / "pictures", train=6, test=3)
    return place / "pictures"


def test_second_extract_runs_no_forward_pass_and_imports_no_runtime(drawn, run_embed):
    first = run_embed("extract", drawn, "--backbone", "tiny", "--json", check=True)
    assert json.loads(first.stdout)["extracted"] == 54
    script = (
        "import sys\nfrom embed.cli import main\n"
        f"code = main(['extract', {str(drawn)!r}, '--backbone', 'tiny', '--json'])\n"
        "heavy = {'tensorflow', 'keras', 'openvino', 'faiss', 'sklearn', 'pandas'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else code)"
    )
    second = run_embed.python("-c", script, check=True)
    document = json.loads(second.stdout)
    assert (document["extracted"], document["reused"], document["images"]) == (0, 54, 54)


def test_help_imports_nothing_heavy(run_embed):
    script = (
        "import sys\nfrom embed.cli import main\nmain(['--help'])\nmain(['similar', '--help'])\n"
        "sys.exit(', '.join({'tensorflow', 'keras', 'openvino', 'faiss', 'sklearn', 'pandas', 'h5py'} & set(sys.modules)) or 0)"
    )
    run_embed.python("-c", script, check=True)


def test_sigterm_does_afterwards_what_it_did_before(tmp_path, backbone):
    demo.draw(tmp_path / "few", train=1, test=0)
    before = signal.getsignal(signal.SIGTERM)
    extract = ["extract", str(tmp_path / "few"), "--backbone", "tiny", "--cache", str(tmp_path / "cache")]
    assert main(extract) == 0
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_keeps_what_is_finished_and_the_next_run_goes_on(tmp_path, run_embed, number):
    data = tmp_path / "many"
    demo.draw(data, train=40, test=0)
    # Parts of a few rows, and pictures that wait once the first of them are stored: the signal meets a run under way.
    script = (
        "import sys, threading\n"
        "from embed import images\nfrom embed.cache import FeatureWriter\nfrom embed.cli import main\n"
        "FeatureWriter.open.__func__.__kwdefaults__['rows_per_part'] = 8\n"
        "stored, commit, yield_decoded = threading.Event(), FeatureWriter.commit, images.Decoder.map\n"
        "def telling(writer):\n"
        "    rows = commit(writer)\n"
        "    if rows and not stored.is_set():\n"
        "        stored.set()\n"
        "        print('stored', flush=True)\n"
        "    return rows\n"
        "def waiting(*arguments, **options):\n"
        "    for number, decoded in enumerate(yield_decoded(*arguments, **options)):\n"
        "        if number == 100:\n"
        "            threading.Event().wait()\n"
        "        yield decoded\n"
        "FeatureWriter.commit, images.Decoder.map = telling, waiting\n"
        f"sys.exit(main(['extract', {str(data)!r}, '--backbone', 'tiny', '--batch-size', '4']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "stored\n"
    process.send_signal(number)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 130, out + errors
    assert "Traceback" not in errors
    assert "goes on from there" in errors
    finished = len(open_features(tmp_path / "cache"))
    assert 8 <= finished <= 100
    told = run_embed("info", "--json", check=True)
    assert json.loads(told.stdout)["complete"] is False
    assert f"{finished} photographs so far" in told.stderr
    document = json.loads(run_embed("extract", data, "--backbone", "tiny", "--json", check=True).stdout)
    assert (document["images"], document["reused"]) == (240, finished)
    assert len(open_features(tmp_path / "cache")) == 240


@pytest.mark.parametrize(
    ("make", "arguments", "sentence"),
    [
        (lambda p: None, ["nowhere"], "nowhere"),
        (lambda p: (p / "empty").mkdir(), ["empty"], "no image"),
        (lambda p: ((p / "texts").mkdir(), (p / "texts" / "a.txt").write_text("a")), ["texts"], "no image"),
        (lambda p: (p / "file.jpg").write_text("x"), ["file.jpg"], "folder"),
        (lambda p: (p / "empty").mkdir(), ["empty", "--backbone", "mobilnetv2"], "mobilenetv2"),
    ],
)
def test_what_cannot_be_extracted_is_said_in_one_sentence(tmp_path, run_embed, make, arguments, sentence):
    make(tmp_path)
    result = run_embed("extract", *arguments)
    assert result.returncode in (1, 2)
    assert result.stdout == ""
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "cache").exists()


def test_missing_imagenet_weights_are_named_with_the_way_out(drawn, run_embed, tmp_path):
    result = run_embed(
        "extract", drawn, env={"KERAS_HOME": str(tmp_path / "no-keras"), "EMBED_HOME": str(tmp_path / "e")}
    )
    assert result.returncode == 1
    assert "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5" in result.stderr
    assert "the backbone tiny" in result.stderr and "weights of your own" in result.stderr
    assert "Traceback" not in result.stderr


def test_strict_exits_with_three_when_a_file_failed(tmp_path, run_embed):
    data = tmp_path / "data"
    data.mkdir()
    demo.picture("fish", np.random.default_rng(0)).save(data / "fish.png")
    (data / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    arguments = ("extract", data, "--backbone", "tiny")
    assert run_embed(*arguments).returncode == 0
    result = run_embed(*arguments, "--strict")
    assert result.returncode == 3
    assert "failures.csv" in result.stderr
