"""The table of backbones, finding their weights, and keeping their exports; all without Keras."""

import dataclasses
import hashlib
import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from embed import files
from embed.backbones import (
    BACKBONES,
    DEFAULT,
    Network,
    build,
    child,
    export,
    get,
    open_runtime,
    store,
    weights,
)
from embed.errors import CacheWriteError, UsageError, WeightsError
from embed.files.home import home

MOBILENETV2 = BACKBONES["mobilenetv2"]


@pytest.fixture(autouse=True)
def embed_home(tmp_path, monkeypatch):
    home = tmp_path / "embed_home"
    monkeypatch.setenv("EMBED_HOME", str(home))
    return home


@pytest.fixture
def models(tmp_path, monkeypatch):
    """The folder where Keras keeps weights, empty."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    folder = tmp_path / "keras" / "models"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)


@pytest.fixture
def offline(monkeypatch):
    """Every way out leads to a port that nobody listens on."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_every_imagenet_model_of_keras_and_tiny_are_there():
    assert len(BACKBONES) == 41
    assert DEFAULT in BACKBONES
    assert all(name == name.lower() == backbone.name for name, backbone in BACKBONES.items())


def test_names_are_found_in_either_case():
    assert get("ResNet50") is BACKBONES["resnet50"]


def test_unknown_backbone_names_the_nearest():
    with pytest.raises(UsageError, match=r"'resnet5'.*did you mean resnet50"):
        get("resnet5")


def test_backbones_command_prints_the_table(run_embed):
    listed = run_embed("backbones", "--json", check=True)

    rows = json.loads(listed.stdout)
    assert [row["name"] for row in rows] == list(BACKBONES)
    assert list(rows[0]) == ["name", "input_size", "dimension", "parameters", "weights_mb", "top1"]
    assert rows[0]["top1"] == pytest.approx(0.713)
    table = run_embed("backbones", "--csv", check=True).stdout.splitlines()
    assert table[0] == "name,input_size,dimension,parameters,weights_mb,top1"
    assert len(table) == 1 + len(BACKBONES)


# resolving


def test_resolves_weights_on_disk_without_keras(models):
    (models / MOBILENETV2.weights_file).write_bytes(b"weights")

    code = (
        "import sys; from embed.backbones import Network; network = Network('mobilenetv2').resolve();"
        "print(network.weights_sha256, network.layer, network.size, {'keras', 'tensorflow'} & set(sys.modules))"
    )

    assert python(code) == f"{sha256(b'weights')} out_relu 224 set()\n"


def test_layers_of_the_classifier_need_the_file_that_has_them(models):
    (models / MOBILENETV2.weights_file).write_bytes(b"without")
    (models / MOBILENETV2.weights_file_with_classifier).write_bytes(b"with")

    assert Network("mobilenetv2").resolve().weights_sha256 == sha256(b"without")
    assert Network("mobilenetv2", layer="predictions").resolve().weights_sha256 == sha256(b"with")


def test_everything_that_defines_the_graph_is_in_the_fingerprint(models, tmp_path):
    (models / MOBILENETV2.weights_file).write_bytes(b"weights")
    own = tmp_path / "own.weights.h5"
    own.write_bytes(weights.HDF5_MAGIC + b"own")
    networks = [
        Network("mobilenetv2"),
        Network("mobilenetv2", size=96),
        Network("mobilenetv2", pooling="max"),
        Network("mobilenetv2", layer="block_6_expand_relu"),
        Network("mobilenetv2", weights=own),
        Network("tiny"),
    ]

    fingerprints = [network.resolve().fingerprint for network in networks]

    assert len(set(fingerprints)) == len(networks)
    assert Network("MobileNetV2", layer="out_relu", size=224).resolve().fingerprint == fingerprints[0]


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Network("mobilenetv2", size=31), "size 31 is too small.*at least 32 pixels a side"),
        (Network("inceptionv3", size=64), "at least 75 pixels"),
        (
            Network("mobilenetv2", pooling="median"),
            "pooling 'median' is not known; it is one of avg, max, grid, flatten",
        ),
        (
            Network("vgg16", layer="fc1", size=256),
            "size 256 cannot be used.*belongs to its classifier.*leave it away",
        ),
        (
            Network("tiny", weights=Path("my.h5")),
            "weights 'my.h5' cannot be used: tiny brings its own weights",
        ),
        (Network("mobilenetv5"), "did you mean mobilenetv2"),
    ],
)
def test_values_that_cannot_work_are_told_in_a_sentence(network, message):
    with pytest.raises(UsageError, match=message):
        network.resolve()


# weights


def test_missing_weights_offline_are_one_sentence_with_the_ways_out(models, offline):
    with pytest.raises(WeightsError) as caught:
        Network("mobilenetv2").resolve()

    sentence = str(caught.value)
    assert "\n" not in sentence
    for part in (MOBILENETV2.weights_file, str(models), "weights of your own", "backbone tiny", "refused"):
        assert part in sentence
    assert list(models.iterdir()) == []


def test_a_download_appears_whole_where_keras_looks_for_it(models, monkeypatch):
    def keras_downloads(module, job, environment):
        assert module == "embed.backbones.download"
        assert job == {"backbone": "MobileNetV2", "classifier": False}
        folder = Path(environment["KERAS_HOME"]) / "models"
        folder.mkdir()
        (folder / MOBILENETV2.weights_file).write_bytes(b"downloaded")
        return {}

    monkeypatch.setattr(child, "call", keras_downloads)

    assert Network("mobilenetv2").resolve().weights_file == models / MOBILENETV2.weights_file
    assert [file.name for file in models.iterdir()] == [MOBILENETV2.weights_file]


def test_a_server_that_never_answers_is_given_up(models, monkeypatch):
    code = """
import json, os
from embed.backbones import download
download.SOCKET_SECONDS = 0.2
stdin, job = os.pipe()
os.dup2(stdin, 0)
os.write(job, json.dumps({"backbone": "MobileNetV2", "classifier": False}).encode() + b"\\n")
download.main()
"""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        told = python(code, https_proxy=f"http://127.0.0.1:{silent.getsockname()[1]}")

    assert "timed out" in json.loads(told)["reply"]["problem"]


def test_published_weights_that_change_are_told_and_not_used(models):
    file = models / MOBILENETV2.weights_file
    file.write_bytes(b"as published")
    first = Network("mobilenetv2").resolve()
    file.write_bytes(b"as damaged..")
    os.utime(file, ns=(0, 0))

    for _ in range(2):
        with pytest.raises(WeightsError, match="is no longer the file of published weights") as caught:
            Network("mobilenetv2").resolve()
    file.write_bytes(b"as published")

    assert Network("mobilenetv2").resolve() == first
    record = str(caught.value).split()[-2]
    file.write_bytes(b"as damaged..")
    Path(record).unlink()
    assert Network("mobilenetv2").resolve().weights_sha256 == sha256(b"as damaged..")


def test_a_record_of_a_hash_with_a_flipped_bit_is_made_again(models):
    file = models / MOBILENETV2.weights_file
    file.write_bytes(b"as published")
    first = Network("mobilenetv2").resolve()
    (record,) = home().glob("weights*/*.json")
    intact = record.read_bytes()

    for at in range(0, len(intact), 7):
        record.write_bytes(intact[:at] + bytes([intact[at] ^ 1]) + intact[at + 1 :])
        assert Network("mobilenetv2").resolve() == first
        assert record.read_bytes() == intact


def test_weights_that_keras_did_not_publish_are_not_imagenets(models, monkeypatch):
    keras_knows = {
        name
        for name, application in BACKBONES.items()
        if name != "tiny" and application.module not in ("mobilenet", "mobilenet_v2")
    }
    for name in BACKBONES:
        if name == "tiny":
            continue
        file = models / BACKBONES[name].weights_file
        file.write_bytes(weights.HDF5_MAGIC)
        network = Network(name).resolve()
        if name in keras_knows:
            with pytest.raises(
                WeightsError, match=f"is not the file of weights that Keras publishes for {name}"
            ):
                network.backbone.keras_model(network, "float32")
        else:
            build.check_published(network.backbone, network)


def test_weights_are_hashed_again_only_when_they_change(models, monkeypatch):
    file = models / "weights.h5"
    file.write_bytes(b"first")
    reads = []
    hash_content = weights.file_sha256
    monkeypatch.setattr(weights, "file_sha256", lambda path: reads.append(path) or hash_content(path))

    first = weights.hash_file(file), weights.hash_file(file)
    file.write_bytes(b"other")
    os.utime(file, ns=(0, 0))

    assert first == (sha256(b"first"),) * 2
    assert weights.hash_file(file) == sha256(b"other")
    assert reads == [file, file]


def test_a_damaged_record_of_hashes_does_no_harm(models, embed_home):
    file = models / "weights.h5"
    file.write_bytes(b"weights")
    weights.hash_file(file)
    for record in (embed_home / "weights").iterdir():
        record.write_text('{"sha256"')

    assert weights.hash_file(file) == sha256(b"weights")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("photo.jpg", b"", "no Keras weights file by its name"),
        ("mine.weights.h5", b"PK\x03\x04", "neither HDF5"),
        ("mine.keras", b"import os", "neither HDF5"),
        ("missing.weights.h5", None, "cannot be read: No such file"),
    ],
)
def test_a_file_that_is_no_weights_file_is_refused(name, content, message, tmp_path):
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(WeightsError, match=message):
        Network("mobilenetv2", weights=file).resolve()


def test_deleted_weights_are_remembered_while_their_export_is_there(models, offline, monkeypatch):
    file = models / MOBILENETV2.weights_file
    file.write_bytes(b"weights")
    network = Network("mobilenetv2").resolve()
    monkeypatch.setattr(child, "call", fake_export)
    model = export(network)
    file.unlink()

    again = Network("mobilenetv2").resolve()

    assert again.weights_file is None
    assert again.fingerprint == network.fingerprint
    assert export(again) == model
    model.with_name("model.bin").unlink()
    with pytest.raises(WeightsError, match="could not be downloaded"):
        Network("mobilenetv2").resolve()
    with pytest.raises(WeightsError, match=f"gone from this machine.*{network.weights_sha256[:16]}"):
        export(again)


def fake_export(module, job, environment=None):
    if module == "embed.backbones.download":
        return {"problem": "offline"}
    for name in (store.MODEL, store.WEIGHTS):
        (Path(job["folder"]) / name).write_text(json.dumps(job["network"]))
    return {"shape": [1280]}


def test_own_weights_are_found_again_by_their_hash(tmp_path, monkeypatch):
    file = tmp_path / "own.weights.h5"
    file.write_bytes(weights.HDF5_MAGIC)
    seen = Network("mobilenetv2", weights=file).resolve()
    forgotten = dataclasses.replace(seen, weights_file=None)
    monkeypatch.setattr(child, "call", fake_export)

    assert json.loads(export(forgotten).read_text())["weights_file"] == str(file)


# exports


def run(model, pixels):
    import openvino

    return openvino.Core().compile_model(model, "CPU")(pixels)[0]


def test_tiny_is_exported_without_tensorflow():
    code = (
        "import sys; from embed.backbones import Network, export; export(Network('tiny'));"
        "print({'keras', 'tensorflow'} & set(sys.modules))"
    )

    assert python(code) == "set()\n"


def test_poolings_of_tiny_are_those_of_its_map():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)

    pooled = {
        pooling: run(export(Network("tiny", pooling=pooling)), pixels)
        for pooling in ("avg", "max", "grid", "flatten")
    }
    maps = run(export(Network("tiny", pooling="none")), pixels)

    assert maps.shape == (3, 7, 7, 512)
    np.testing.assert_allclose(pooled["avg"], maps.mean(axis=(1, 2)), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(pooled["max"], maps.max(axis=(1, 2)))
    np.testing.assert_array_equal(pooled["flatten"], maps.reshape(3, -1))


def test_an_export_is_made_once_and_announced():
    told = []

    first = export(Network("tiny"), told.append)
    written = first.stat().st_mtime_ns
    second = export(Network("tiny"), told.append)

    assert first == second
    assert second.stat().st_mtime_ns == written
    assert len(told) == 1
    assert "tiny" in told[0]


@pytest.mark.parametrize(
    ("file", "harm"),
    [
        (store.MODEL, "flip"),
        (store.MODEL, "delete"),
        (store.WEIGHTS, "flip"),
        (store.WEIGHTS, "cut"),
        (store.META, "cut"),
        (store.META, "delete"),
    ],
)
def test_a_damaged_export_is_made_again(file, harm):
    resolved = Network("tiny").resolve()
    pixels = np.full((1, 112, 112, 3), 77, np.uint8)
    model = export(resolved)
    before = run(model, pixels)
    victim = model.with_name(file)
    whole = victim.read_bytes()
    middle = len(whole) // 2
    if harm == "flip":
        victim.write_bytes(whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :])
    elif harm == "cut":
        victim.write_bytes(whole[:middle])
    else:
        victim.unlink()
    assert not store.intact(resolved)

    assert export(resolved) == model

    assert store.intact(resolved)
    assert np.array_equal(run(model, pixels), before)
    assert [path.name for path in model.parent.parent.iterdir()] == [model.parent.name]


def test_an_export_that_fails_leaves_nothing_behind(embed_home):
    def fail(network, folder):
        (folder / store.MODEL).write_text("half")
        raise WeightsError("no")

    with pytest.raises(WeightsError):
        store.publish(Network("tiny").resolve(), fail)

    assert list((embed_home / "exports").iterdir()) == []


def test_processes_that_export_at_once_agree(embed_home):
    code = "from embed.backbones import Network, export; print(export(Network('tiny')))"
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]

    answers = {process.communicate(timeout=120)[0] for process in processes}

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(answers) == 1
    assert len(list((embed_home / "exports").iterdir())) == 1


def test_a_cache_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    (home / "exports").write_text("")
    monkeypatch.setenv("EMBED_HOME", str(home))

    with pytest.raises(CacheWriteError, match=f"Cannot write exported backbones to {home}.*EMBED_HOME"):
        export(Network("tiny"))


def test_a_cache_folder_that_is_read_only_serves_this_run(embed_home, monkeypatch):
    pixels = np.full((1, 112, 112, 3), 77, np.uint8)
    expected = open_runtime(Network("tiny"), device="cpu").run(pixels)
    monkeypatch.setenv("EMBED_HOME", str(embed_home.parent / "other"))
    monkeypatch.setattr(store, "writable", lambda: False)  # a superuser writes into any folder
    told = []

    features = open_runtime(Network("tiny"), device="cpu", notify=told.append).run(pixels)

    assert np.array_equal(features, expected)
    assert len(told) == 1 and "for this run only" in told[0] and str(embed_home.parent / "other") in told[0]
    assert not (embed_home.parent / "other").exists()


def test_what_is_kept_can_be_read_by_everyone_whom_the_umask_allows_and_written_by_nobody_else(
    models, embed_home
):
    before = os.umask(0o002)
    try:
        open_runtime(Network("tiny"), device="cpu")
        (models / MOBILENETV2.weights_file).write_bytes(b"weights")
        Network("mobilenetv2").resolve()
    finally:
        os.umask(before)

    kept = list(embed_home.rglob("*"))
    assert {path.suffix for path in kept if path.is_file()} >= {".xml", ".bin", ".blob", ".json"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept if path.is_dir()} == {0o755}
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept if path.is_file()} == {0o644}


def kept_by(folder):
    return sorted(path.relative_to(folder).parts[0] for path in folder.rglob("*.blob"))


@pytest.mark.parametrize("suffix", [".blob", ".xml", ".json", "folder", "exports"])
@pytest.mark.parametrize("how", ["mode", "owner", "link"])
def test_a_backbone_that_somebody_else_may_have_written_is_made_again(
    embed_home, pixels, suffix, how, caplog
):
    expected = open_runtime(Network("tiny"), device="cpu").run(pixels)
    export = store.folder(Network("tiny").resolve())
    path = {"folder": export, "exports": export.parent}.get(suffix) or next(
        one for one in export.iterdir() if one.suffix == suffix
    )
    if how == "mode":
        path.chmod(0o777)
    elif how == "owner" and os.geteuid() == 0:
        os.chown(path, 65534, 65534)
    else:
        path.rename(embed_home.parent / path.name)
        path.symlink_to(embed_home.parent / path.name)
    if suffix in (".xml", ".json"):  # which are read where the network is not compiled yet
        next(iter(export.glob("*.blob"))).unlink()
    told = []
    network = Network("tiny").resolve()
    runtime = open_runtime(network, device="cpu", notify=told.append)
    assert np.array_equal(runtime.run(pixels), expected)
    said = [
        record.message
        for record in caplog.records
        if "made again" in record.message or "compiled again" in record.message
    ]
    assert len(said) == len(set(said)) and bool(said or told)
    assert np.array_equal(open_runtime(network, device="cpu").run(pixels), expected)
    caplog.clear()
    told.clear()
    open_runtime(network, device="cpu", notify=told.append)
    assert not told and not caplog.records


def test_a_pipe_in_the_place_of_what_is_kept_is_not_waited_for(embed_home, pixels):
    expected = open_runtime(Network("tiny"), device="cpu").run(pixels)
    for path in sorted(store.folder(Network("tiny").resolve()).iterdir()):
        path.unlink()
        os.mkfifo(path)
    assert np.array_equal(open_runtime(Network("tiny"), device="cpu").run(pixels), expected)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_shared_home_is_used_by_all_as_far_as_its_owner_wrote_it(embed_home, pixels):
    """What root, or the owner of the folder, has exported is there for everybody; of others each has his own."""
    open_runtime(Network("tiny"), device="cpu").run(pixels)
    for path in (embed_home, *embed_home.rglob("*")):
        os.chown(path, 65534, 65534)
    told = []
    open_runtime(Network("tiny"), device="cpu", notify=told.append)
    assert not told and kept_by(embed_home) == ["exports"]
    os.chown(embed_home, 0, 0)
    embed_home.chmod(0o777)
    open_runtime(Network("tiny"), device="cpu", notify=told.append)
    assert len(told) == 1 and kept_by(embed_home) == ["exports", "exports-0"]
    open_runtime(Network("tiny"), device="cpu", notify=told.append)
    assert len(told) == 1


@pytest.mark.parametrize(
    "record",
    [
        b"[" * 100_000,
        b"[]",
        b"{}",
        files.seal({"sha256": 7, "path": "x"}),
        files.seal({"sha256": "x", "path": "x", "beside": [7]}),
    ],
    ids=["deep", "list", "bare", "number", "beside"],
)
def test_a_record_of_weights_that_says_what_cannot_be_is_left_alone(embed_home, tmp_path, record):
    file = tmp_path / "w.h5"
    file.write_bytes(b"\x89HDF\r\n\x1a\n")
    digest = weights.hash_file(file)
    (path,) = (embed_home / "weights").iterdir()
    path.write_bytes(record)
    assert weights.locate(digest) is None
    assert weights.hash_file(file) == digest and weights.locate(digest) == file


def test_the_hash_of_weights_that_others_may_have_written_is_computed(embed_home, tmp_path):
    file = tmp_path / "w.h5"
    file.write_bytes(b"\x89HDF\r\n\x1a\n")
    digest = weights.hash_file(file)
    (path,) = (embed_home / "weights").iterdir()
    path.write_bytes(files.seal({**files.read_document(path), "sha256": "0" * 64}))
    assert weights.hash_file(file) == "0" * 64
    path.chmod(0o666)
    assert weights.remembered(file) is None
    assert weights.locate("0" * 64) is None
    assert weights.hash_file(file) == digest


def test_a_disk_that_refuses_an_export_is_named(embed_home):
    code = """
import resource
from embed.backbones import Network, export
from embed.errors import CacheWriteError
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # writing more fails as on a full disk
try:
    export(Network("tiny"))
except CacheWriteError as error:
    print(error)
"""
    said = python(code)

    assert str(embed_home / "exports") in said and "Free some space" in said
    assert list((embed_home / "exports").iterdir()) == []


def test_a_job_does_without_the_libraries_that_only_wrappers_of_keras_need():
    code = """
import json, os
from importlib.util import find_spec
from embed.backbones import child
stdin, job = os.pipe()
os.dup2(stdin, 0)
os.write(job, b"{}\\n")
installed = [bool(find_spec(name)) for name in child.SPARED]
def work(job):
    imported = []
    for name in child.SPARED:
        try:
            imported.append(__import__(name).__name__)
        except ImportError:
            pass
    return {"installed": installed, "imported": imported}
child.serve(work)
"""
    assert json.loads(python(code))["reply"] == {"installed": [True, True, True], "imported": []}


@pytest.mark.parametrize("search_path", [None, f".{os.pathsep}"])
def test_no_file_of_the_working_folder_is_run(search_path, models, tmp_path, monkeypatch):
    working = tmp_path / "downloaded"
    working.mkdir()
    for name in ("tensorflow", "keras", "numpy", "random", "json", "subprocess", "sitecustomize"):
        (working / f"{name}.py").write_text(
            f"open({str(working / 'it-ran')!r}, 'w').close(); raise SystemExit(1)"
        )
    (models / MOBILENETV2.weights_file).write_bytes(b"no HDF5 at all")
    network = Network("mobilenetv2", size=32).resolve()
    monkeypatch.chdir(working)
    if search_path is None:
        monkeypatch.delenv("PYTHONPATH", raising=False)
    else:
        monkeypatch.setenv("PYTHONPATH", search_path)

    with pytest.raises(WeightsError, match="do not fit mobilenetv2"):  # as Keras itself found out
        export(network)

    assert not (working / "it-ran").exists()
