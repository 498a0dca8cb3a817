"""Networks of the user's own in ONNX files, against ONNX's own reference."""

import os
import shutil

import numpy as np
import onnx
import onnx_networks
import pytest
from onnx import TensorProto

from embed.backbones import Network, get, open_runtime
from embed.errors import UsageError, WeightsError

PIXELS = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
FIRST = PIXELS.transpose(0, 3, 1, 2).astype(np.float32)  # channels first
CLOSE = {"rtol": 1e-4, "atol": 1e-4}


@pytest.fixture(autouse=True)
def embed_home(tmp_path, monkeypatch):
    monkeypatch.setenv("EMBED_HOME", str(tmp_path / "home"))


@pytest.fixture
def file(tmp_path):
    return tmp_path / "net.onnx"


def features(file, pixels=PIXELS, **options):
    return open_runtime(Network(str(file), **{"preprocess": "none", **options}), "cpu").run(pixels)


@pytest.mark.parametrize(
    ("end", "last", "size", "batch"),
    [
        ("pooled", False, 32, "n"),
        ("pooled", True, None, 1),
        ("map", False, None, 1),
        ("map", True, 32, "n"),
    ],
)
def test_layouts_and_free_or_fixed_lengths(file, end, last, size, batch):
    onnx_networks.network(file, batch=batch, size=size, last=last, end=end)
    expected = onnx_networks.by_reference(file, PIXELS.astype(np.float32) if last else FIRST, "map")
    np.testing.assert_allclose(features(file, size=32), expected.mean(axis=(2, 3)), **CLOSE)


@pytest.mark.parametrize(
    ("preprocess", "mean", "std"),
    [
        ("none", 0, 1),
        ("0to1", 0, 255),
        ("minus1to1", 127.5, 127.5),
        ("mean=127,std=128", 127, 128),
        ("mean=1,2,3,std=4,5,6", [1, 2, 3], [4, 5, 6]),
        ("imagenet", [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]),
    ],
)
def test_pixels_become_what_was_asked(file, preprocess, mean, std):
    onnx_networks.network(file)
    taken = ((PIXELS - np.array(mean)) / std).astype(np.float32).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(
        features(file, preprocess=preprocess), onnx_networks.by_reference(file, taken), **CLOSE
    )


def test_caffe_takes_blue_first(file):
    onnx_networks.network(file)
    taken = (PIXELS[..., ::-1] - np.array([103.939, 116.779, 123.68])).astype(np.float32)
    expected = onnx_networks.by_reference(file, taken.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(features(file, preprocess="caffe"), expected, **CLOSE)


def test_one_preprocessing_written_in_two_ways_is_one_network(file):
    onnx_networks.network(file)
    named, spelled = (
        Network(str(file), preprocess=text).resolve() for text in ("minus1to1", "mean=127.5, std=127.5")
    )
    assert named.fingerprint == spelled.fingerprint
    assert named.fingerprint != Network(str(file), preprocess="0to1").resolve().fingerprint


def test_features_are_taken_before_the_classes_and_before_the_average(file):
    onnx_networks.network(file, end="classes")
    assert get(str(file), "none").layer == "map"
    expected = onnx_networks.by_reference(file, FIRST, "map")
    np.testing.assert_allclose(features(file), expected.mean(axis=(2, 3)), **CLOSE)
    np.testing.assert_allclose(features(file, pooling="max"), expected.max(axis=(2, 3)), **CLOSE)
    np.testing.assert_allclose(
        features(file, layer="logits"), onnx_networks.by_reference(file, FIRST, "logits"), **CLOSE
    )


@pytest.mark.parametrize(
    ("pooling", "pool"), [("cls", lambda t: t[:, 0]), ("mean", lambda t: t.mean(axis=1))]
)
def test_tokens_are_pooled(file, pooling, pool):
    onnx_networks.network(file, end="tokens")
    expected = pool(onnx_networks.by_reference(file, FIRST))
    np.testing.assert_allclose(features(file, pooling=pooling), expected, **CLOSE)


def test_the_mirror_image_is_averaged(file):
    onnx_networks.network(file)
    both = [onnx_networks.by_reference(file, pixels) for pixels in (FIRST, FIRST[..., ::-1])]
    np.testing.assert_allclose(features(file, mirror=True), np.mean(both, axis=0), **CLOSE)


def test_a_network_of_one_picture_cannot_be_mirrored_but_read(file):
    onnx_networks.network(file, end="baked")
    np.testing.assert_allclose(features(file), onnx_networks.by_reference(file, FIRST), **CLOSE)
    with pytest.raises(UsageError, match=r"mirror .*one picture at a time"):
        features(file, mirror=True)


def test_what_can_be_read_off_a_file_is_not_asked(tmp_path):
    whole = onnx_networks.network(tmp_path / "whole.onnx", element=TensorProto.UINT8)
    assert get(str(whole)).preprocess == "none"
    np.testing.assert_allclose(
        features(whole, preprocess=None),
        onnx_networks.by_reference(whole, PIXELS.transpose(0, 3, 1, 2)),
        **CLOSE,
    )
    vision = onnx_networks.network(
        tmp_path / "vision.onnx", producer="pytorch", prefix="/features/features.0/features.0.0"
    )
    assert get(str(vision)).preprocess == "imagenet"
    assert any("--preprocess imagenet" in note for note in get(str(vision)).notes)


def test_what_cannot_be_read_off_a_file_is_asked(file):
    onnx_networks.network(file)
    with pytest.raises(UsageError, match=r"preprocess is needed: net\.onnx does not say"):
        Network(str(file)).resolve()


@pytest.mark.parametrize(
    "text", ["", "imagnet", "mean=1,2,std=1", "std=0", "mean=nan", "mean=1e999", "scale=3", "mean=1;std=2"]
)
def test_a_preprocessing_that_is_none_is_refused(file, text):
    onnx_networks.network(file)
    with pytest.raises(UsageError, match="preprocess "):
        Network(str(file), preprocess=text).resolve()


def test_a_wrong_output_lists_the_nearest(file):
    onnx_networks.network(file)
    with pytest.raises(
        UsageError, match=r"layer 'averag' is not in net\.onnx; the nearest names are average"
    ):
        features(file, layer="averag")


def test_a_size_that_the_network_cannot_take_is_refused(file):
    onnx_networks.network(file, end="dense")
    with pytest.raises(UsageError, match=r"size 64 cannot be used: net\.onnx does not take"):
        features(file, size=64)


@pytest.mark.parametrize("channels", [1, 4])
def test_a_network_for_other_than_colour_pictures_is_refused(file, channels):
    onnx_networks.network(file, channels=channels)
    with pytest.raises(UsageError, match="takes no colour pictures"):
        Network(str(file), preprocess="none").resolve()


def test_two_files_of_one_name_are_two_networks(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    one = onnx_networks.network(tmp_path / "a" / "net.onnx")
    other = onnx_networks.network(tmp_path / "b" / "net.onnx", end="map", producer="another")
    hashes = {Network(str(file), preprocess="none").resolve().fingerprint for file in (one, other)}
    assert len(hashes) == 2


def external(file, location):
    model = onnx.load(onnx_networks.network(file))
    onnx.save(model, file, save_as_external_data=True, location="weights.bin", size_threshold=0)
    model = onnx.load(file, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    file.write_bytes(model.SerializeToString())
    return file


def test_external_weights_are_part_of_what_identifies_a_network(file):
    external(file, "weights.bin")
    before = Network(str(file), preprocess="none").resolve().weights_sha256
    expected = onnx_networks.by_reference(file, FIRST)
    np.testing.assert_allclose(features(file), expected, **CLOSE)
    weights = file.with_name("weights.bin")
    content = np.frombuffer(weights.read_bytes(), np.float32) * 2
    weights.write_bytes(content.tobytes())
    assert Network(str(file), preprocess="none").resolve().weights_sha256 != before
    np.testing.assert_allclose(features(file), 2 * expected, **CLOSE)


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/passwd", "sub/../../secret.bin", "link.bin"])
def test_weights_outside_of_the_folder_are_not_read(tmp_path, location):
    (tmp_path / "secret.bin").write_bytes(bytes(100_000))
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "sub").mkdir()
    os.symlink(tmp_path / "secret.bin", tmp_path / "given" / "link.bin")
    file = external(tmp_path / "given" / "net.onnx", location)
    with pytest.raises(WeightsError, match="outside of its own folder"):
        Network(str(file), preprocess="none").resolve()


def test_missing_external_weights_are_said(file):
    external(file, "weights.bin").with_name("weights.bin").unlink()
    with pytest.raises(WeightsError, match=r"'weights\.bin', which is not beside it"):
        Network(str(file), preprocess="none").resolve()


@pytest.mark.parametrize("content", [b"", b"\x00", b"no network", b"\xff" * 100, b"PK\x03\x04", b"\x08\x07"])
def test_a_file_that_is_no_network_is_refused(file, content):
    file.write_bytes(content)
    with pytest.raises(WeightsError, match="is no ONNX file"):
        Network(str(file), preprocess="none").resolve()


def test_damaged_networks_end_in_a_sentence(file):
    content = onnx_networks.network(file, end="classes").read_bytes()
    chance = np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(content[: chance.integers(1, len(content))])
        damaged[chance.integers(len(damaged))] ^= 1 << int(chance.integers(8))
        file.write_bytes(damaged)
        try:
            Network(str(file), preprocess="none").resolve()
        except (UsageError, WeightsError) as error:
            assert str(error)


def test_a_whole_run_and_a_query_after_the_file_went_away(tmp_path, run_embed, file):
    from embed import demo

    demo.draw(tmp_path / "pictures", train=4, test=2)
    demo.draw(tmp_path / "new", train=1, test=1)
    onnx_networks.network(file, size=64)
    home = {"EMBED_HOME": str(tmp_path / "home")}
    command = ["extract", "pictures", "--backbone", file, "--preprocess", "minus1to1"]
    assert "36 images, 36 extracted" in run_embed(*command, env=home, check=True).stdout
    assert "36 reused" in run_embed(*command, env=home, check=True).stdout
    assert "net.onnx" in run_embed("info", env=home, check=True).stdout
    run_embed("fit", env=home, check=True)
    shutil.move(file, tmp_path / "elsewhere.onnx")
    new = next((tmp_path / "new" / "train" / "sun").iterdir())
    run_embed("similar", new, env=home, check=True)
    run_embed("predict", new, env=home, check=True)


@pytest.mark.photographs
def test_a_real_network_gives_what_onnx_runtime_gives(efficientnet, ants_bees):
    onnxruntime = pytest.importorskip("onnxruntime")
    from embed import images, sources

    files = sorted((ants_bees / "val" / "bees").iterdir())[:8]
    source = sources.Files(files)
    with images.Decoder(images.Resize(224, "stretch")) as decoder:
        pixels = np.stack([one.pixels[0] for one in decoder.map(source.read([*source.items()]))])
    session = onnxruntime.InferenceSession(efficientnet, providers=["CPUExecutionProvider"])
    taken = ((pixels.astype(np.float32) - 127) / 128).transpose(0, 3, 1, 2)
    (expected,) = session.run(["features"], {"pixels": taken})
    for layer in (None, "features"):
        found = features(efficientnet, pixels, preprocess="mean=127,std=128", layer=layer)
        np.testing.assert_allclose(found, expected, atol=1e-4)
