"""Tuning from end to end: what comes out is weights as any others, and a number about photographs that nobody has seen."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from waiting import until

import embed
from embed import demo
from embed.backbones import child, divide, from_json, read_tuning
from embed.backbones.write import write
from embed.cache import list_features, open_features, tuned_on
from embed.cli import main
from embed.errors import CacheLockedError, CacheWriteError, LabelError, UsageError
from embed.tune import train

CUT = "conv_pw_12_relu"
SETTINGS = {"backbone": "mobilenet", "size": 32}
TRAINING = {"cut": CUT, "epochs": 3, "views": 2, "batch_size": 8}


class Jobs:
    """Does the jobs of child processes in this one, which has imported Keras already, and counts them."""

    def __init__(self):
        self.done = []

    def __call__(self, module, job, environment=None, tell=lambda *_: None):
        job = json.loads(json.dumps(job))
        self.done.append(module.rpartition(".")[2])
        if module == "embed.tune.train":
            return train._work(job, tell)
        if module == "embed.backbones.divide":
            return json.loads(json.dumps(divide._divide(job)))
        return write(from_json(job["network"]), Path(job["folder"]))


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EMBED_HOME", str(tmp_path_factory.mktemp("home")))
        done = Jobs()
        patch.setattr(child, "call", done)
        patch.setattr(train, "prepare", lambda threads, seed: keras.utils.set_random_seed(seed))
        yield done


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    keras.utils.set_random_seed(3)
    base = keras.applications.MobileNet(weights=None, include_top=False, input_shape=(32, 32, 3))
    random = np.random.default_rng(3)
    for variable in base.weights:
        if len(variable.shape) == 4:  # so large that something of the picture arrives at the end
            fan = 9 if "dw" in variable.path else np.prod(variable.shape[:3])
            variable.assign(random.normal(0, np.sqrt(2 / fan), variable.shape))
    file = tmp_path_factory.mktemp("weights") / "random.weights.h5"
    base.save_weights(file)
    return file


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "pictures"
    demo.draw(folder, train=8, test=3)
    return folder


@pytest.fixture(scope="module")
def tuned(jobs, data, weights):
    told = []
    found = embed.tune_backbone(
        data, data.parent / "cache", weights=weights, **SETTINGS, **TRAINING,
        training=told.append, notice=told.append,
    )  # fmt: skip
    return found, told


@pytest.fixture
def cache(data):
    return data.parent / "cache"


def test_what_comes_out_says_how_it_came_about(tuned, data, weights):
    found, told = tuned
    assert found.weights.is_file() and found.cut.layer == CUT
    assert found.photographs + found.held_out == 48
    assert 0 < found.held_out < 10
    assert [one["epoch"] for one in found.learning_curve] == [1, 2, 3]
    assert told[0].startswith(f"The outputs of {CUT} take ") and "48 photographs" in told[0]
    assert told[-1].epoch == 3 and told[-1].step == told[-1].steps
    assert any("few to tune a network on" in note for note in found.notes)


def test_the_number_is_about_photographs_that_were_not_trained_on(tuned):
    gain = tuned[0].gain
    assert (gain.n, gain.evaluated_on) == (18, "test")
    assert round(gain.difference * gain.n) == gain.won - gain.lost
    assert gain.low < gain.difference < gain.high
    assert gain.shown == (gain.low > 0)
    assert any("no gain shown" in note for note in tuned[0].notes) != gain.shown
    assert gain.frozen.low <= gain.frozen.accuracy <= gain.frozen.high


def test_the_features_are_those_that_keras_computes_with_the_weights(tuned, cache, data):
    found = tuned[0]
    network = keras.applications.MobileNet(
        weights=None, include_top=False, input_shape=(32, 32, 3), pooling="avg"
    )
    network.load_weights(found.weights)
    features = open_features(cache, found.features)
    rows = [0, 30, 65]
    from embed import images

    pixels = [images.decode_file(data / features.path(row), images.Resize(32))[0] for row in rows]
    expected = network(np.stack(pixels) / np.float32(127.5) - 1)
    np.testing.assert_allclose(features.rows(rows), expected, rtol=1e-3, atol=1e-4)
    assert not np.allclose(features.rows(rows), open_features(cache, found.frozen).rows(rows), atol=1e-3)


def test_only_what_is_above_the_cut_has_changed(tuned, weights):
    def values(file):
        network = keras.applications.MobileNet(weights=None, include_top=False, input_shape=(32, 32, 3))
        network.load_weights(file)
        names = [layer.name for layer in network.layers]
        place = names.index(CUT)
        return [[w for layer in part for w in layer.get_weights()] for part in
                (network.layers[: place + 1], network.layers[place + 1 :])]  # fmt: skip

    (below, above), (below_before, above_before) = values(tuned[0].weights), values(weights)
    assert all(np.array_equal(a, b) for a, b in zip(below, below_before, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(above[:1], above_before[:1], strict=True))


def test_the_recipe_names_the_weights_before_and_the_contents_are_kept(tuned, cache):
    found = tuned[0]
    features, frozen = open_features(cache, found.features), open_features(cache, found.frozen)
    assert features.recipe.tuned_from == frozen.recipe.weights_sha256
    assert frozen.recipe.tuned_from == ""
    seen = tuned_on(features)
    assert {path.split("/")[0] for path in features.paths[seen]} == {"train"}
    assert seen.sum() == 48
    assert len(read_tuning(found.weights).contents) == 48


def test_outputs_are_gone_and_were_never_listed(tuned, cache):
    found = tuned[0]
    assert {one.name for one in list_features(cache)} == {found.features, found.frozen}
    assert not (cache / found.frozen / "tune").exists()


def test_the_same_again_computes_nothing(tuned, jobs, data, cache, weights):
    before = found = tuned[0]
    jobs.done.clear()
    progress = []
    found = embed.tune_backbone(
        data, cache, weights=weights, **SETTINGS, **TRAINING, progress=lambda p: progress.append(p.extracted)
    )
    assert found.weights == before.weights
    assert found.gain == before.gain
    assert jobs.done == ["divide"]
    assert set(progress) == {0}


def test_every_command_takes_the_tuned_features(tuned, cache, data, tmp_path, capsys):
    photo = str(next((data / "test").rglob("*.jpg")))
    on = ["--cache", str(cache), "--features", tuned[0].features]
    assert main(["fit", *on, "--json"]) == 0
    fitted = json.loads(capsys.readouterr().out)
    assert (fitted["n_train"], fitted["n"]) == (48, 18)
    assert any("tuned on 48" in note for note in fitted["notes"])
    new = tmp_path / "new.png"
    demo.draw(tmp_path / "other", train=1, test=1)
    new = str(next((tmp_path / "other" / "test").rglob("*.jpg")))
    assert main(["predict", new, *on, "--json"]) == 0
    assert main(["similar", new, *on, "--json"]) == 0
    assert main(["explain", photo, *on, "--out", str(tmp_path / "maps")]) == 0
    assert main(["report", *on, "--out", str(tmp_path / "report.html")]) == 0
    page = (tmp_path / "report.html").read_text()
    assert "Tuning: loss" in page and f"above {CUT}, on " in page
    capsys.readouterr()
    assert main(["fit", *on, "--cv", "3"]) == 1
    assert "tuned on every photograph that would be scored" in capsys.readouterr().err


@pytest.mark.torture
def test_another_cut_takes_the_place_of_outputs_that_were_kept(jobs, data, weights, tmp_path):
    given = {**SETTINGS, "weights": weights, "epochs": 1, "keep": True}
    first = embed.tune_backbone(data, tmp_path, **given, cut="conv_pw_11_relu")
    folder = tmp_path / first.frozen
    (kept,) = list_features(folder / "tune")
    assert kept.meta.recipe.layer == "conv_pw_11_relu"
    embed.tune_backbone(data, tmp_path, **given, cut=CUT)
    (kept,) = list_features(folder / "tune")
    assert (kept.meta.recipe.layer, kept.meta.recipe.pooling, kept.meta.recipe.dtype) == (
        CUT,
        "flatten",
        "float16",
    )
    assert len(list((folder / "tuned").iterdir())) == 2


def test_one_tunes_at_a_time_and_a_full_disk_is_told_before(tuned, jobs, data, cache, weights, monkeypatch):
    from embed.cache import Lock

    given = {**SETTINGS, **TRAINING, "weights": weights, "random_state": 1}
    folder = cache / tuned[0].frozen / "tune"
    folder.mkdir()
    lock = Lock(folder)
    with pytest.raises(CacheLockedError, match="is being written by process"):
        embed.tune_backbone(data, cache, **given)
    lock.release()
    monkeypatch.setattr(
        "shutil.disk_usage", lambda _: os.statvfs_result(range(10)) and type("U", (), {"free": 10})()
    )
    with pytest.raises(CacheWriteError, match=r"take 0\.\d GB in .*tune, and 0\.0 GB are free"):
        embed.tune_backbone(data, cache, **given)


def test_what_cannot_be_tuned_is_told(jobs, data, weights, tmp_path):
    with pytest.raises(UsageError, match="cut 'conv9' is no cut"):
        embed.tune_backbone(data, tmp_path, weights=weights, **SETTINGS, cut="conv9")
    (tmp_path / "one" / "a").mkdir(parents=True)
    demo.draw(tmp_path / "drawn", train=1, test=1)
    for file in (tmp_path / "drawn").rglob("*.jpg"):
        file.rename(tmp_path / "one" / "a" / file.name)
    with pytest.raises(LabelError, match="at least two classes"):
        embed.tune_backbone(tmp_path / "one", tmp_path / "cache", weights=weights, **SETTINGS, cut=CUT)


@pytest.mark.torture
def test_a_command_that_was_killed_ten_times_gives_the_weights_of_one_that_was_not(tmp_path, data, weights):
    environment = {**os.environ, "EMBED_HOME": str(tmp_path / "home")}

    def start(cache):
        command = [sys.executable, "-m", "embed.cli", "tune", data, "--cache", cache, "--weights", weights]
        command += ["--backbone", "mobilenet", "--size", "32", "--cut", "conv_pw_8_relu", "--views", "2"]
        command += ["--epochs", "24", "--patience", "24", "--batch-size", "4", "--json"]
        return subprocess.Popen(
            list(map(str, command)), env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def result(process):
        output, _ = process.communicate()
        assert process.returncode == 0
        return Path(json.loads(output)["weights"])

    whole = result(start(tmp_path / "whole"))
    cache = tmp_path / "killed"
    kills = 0
    for done in (*range(0, 18, 2), 21):

        def so_far(done=done):
            states = [*cache.glob("*/tune/training/*.npz")]
            state = train.checkpoint.read(states[0]) if states else None
            return (len(state.history) if state else 0) >= done

        process = start(cache)
        until(lambda process=process, so_far=so_far: so_far() or process.poll() is not None, "an epoch")
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate()
    assert kills == 10
    assert result(start(cache)).read_bytes() == whole.read_bytes()
