"""Extraction against Keras's own pipeline, against ONNX Runtime, and against the ceiling of the machine.

    python benchmarks/extraction.py [--pairs 5] [--backbones mobilenetv2 resnet50 efficientnetb0] [--part validation]

Each measurement is a process of its own; the systems take turns, and what is printed are ratios of neighbours.
Weights other than MobileNetV2's are random where ImageNet's are not at hand: the arithmetic is the same.
"""

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import common
import numpy as np

BATCH = 32


def _keras_model(backbone: str) -> tuple[Any, Any]:
    import keras

    from embed.backbones import get

    entry = get(backbone)
    module = getattr(keras.applications, entry.module)
    build = getattr(keras.applications, entry.keras_name)
    weights = "imagenet" if backbone == "mobilenetv2" else None
    keras.utils.set_random_seed(0)
    return build(weights=weights, include_top=False, pooling="avg"), module.preprocess_input


def worker_keras(data: str, backbone: str) -> dict[str, float]:
    """``image_dataset_from_directory`` → ``model.predict``: what the tutorials do."""
    import keras
    import tensorflow as tf

    model, preprocess = _keras_model(backbone)
    size = model.input_shape[1] or 224
    inputs = keras.Input((size, size, 3))
    model = keras.Model(inputs, model(preprocess(inputs)))
    dataset = keras.utils.image_dataset_from_directory(
        data, labels=None, image_size=(size, size), batch_size=BATCH, shuffle=False, verbose=False
    ).prefetch(tf.data.AUTOTUNE)
    model.predict(dataset.take(1), verbose=0)
    start = time.perf_counter()
    features = model.predict(dataset, verbose=0)
    return {"images": len(features), "per_second": len(features) / (time.perf_counter() - start)}


def worker_embed(data: str, backbone: str, weights: str, precision: str) -> dict[str, float]:
    """Our pipeline into an empty cache, the backbone exported before; then its two halves alone."""
    from embed import images, sources
    from embed.backbones import Network, open_runtime
    from embed.extract import FeatureOptions, RunOptions, extract_features

    network = Network(backbone, weights=Path(weights) if weights else None)
    resolved = network.resolve()
    runtime = open_runtime(resolved, device="cpu", precision=precision)
    with tempfile.TemporaryDirectory() as cache:
        summary = extract_features(
            Path(data),
            Path(cache),
            FeatureOptions(network=network, precision=precision),
            RunOptions(device="cpu"),
        )
    source = sources.open(data)
    sample = [told for told in source.find() if isinstance(told, sources.Item)][:512]
    resize = images.Resize(resolved.size, "stretch")

    def decode() -> tuple[float, np.ndarray]:
        start = time.perf_counter()
        with images.Decoder(resize, workers=RunOptions().decoding_threads) as decoder:
            decoded = [item.pixels for item in decoder.map(source.read(sample))]
        return len(decoded) / (time.perf_counter() - start), np.concatenate(
            [d for d in decoded if d is not None]
        )

    decode()
    decoding, pixels = decode()
    batches = [pixels[i : i + BATCH] for i in range(0, len(pixels) - BATCH + 1, BATCH)]
    runtime.run(batches[0])
    start = time.perf_counter()
    for batch in batches:
        runtime.run(batch)
    forward = len(batches) * BATCH / (time.perf_counter() - start)
    ceiling = 1 / (1 / forward + 1 / decoding)
    return {
        "images": summary.extracted,
        "per_second": summary.images_per_second,
        "forward": forward,
        "decode": decoding,
        "ceiling": ceiling,
        "of_ceiling": summary.images_per_second / ceiling,
    }


def worker_onnx(data: str, model: str) -> dict[str, float]:
    """Pillow in a thread pool → ONNX Runtime → h5py: what one would write by hand."""
    from concurrent.futures import ThreadPoolExecutor

    import h5py
    import onnxruntime
    from PIL import Image

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    name, (_, size, _, _) = session.get_inputs()[0].name, session.get_inputs()[0].shape
    files = sorted(path for path in Path(data).rglob("*.jpg"))

    def load(path: Path) -> np.ndarray:
        with Image.open(path) as image:
            return np.asarray(
                image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR), np.float32
            )

    start = time.perf_counter()
    with tempfile.NamedTemporaryFile(suffix=".h5") as out, ThreadPoolExecutor(2) as pool:
        loaded = pool.map(load, files)
        with h5py.File(out.name, "w") as store:
            rows = None
            for first in range(0, len(files), BATCH):
                batch = np.stack([next(loaded) for _ in files[first : first + BATCH]])
                (features,) = session.run(None, {name: batch})
                if rows is None:
                    rows = store.create_dataset("features", (len(files), features.shape[1]), "f4")
                rows[first : first + len(features)] = features
    return {"images": len(files), "per_second": len(files) / (time.perf_counter() - start)}


def worker_prepare(folder: str, backbone: str, onnx: str) -> dict[str, str]:
    """Random weights for a backbone whose ImageNet weights are not here; an ONNX file for ONNX Runtime."""
    import keras

    from embed.backbones import Network

    model, preprocess = _keras_model(backbone)
    weights = ""
    if backbone != "mobilenetv2":
        weights = str(Path(folder) / f"{backbone}.weights.h5")
        model.save_weights(weights)
    Network(backbone, weights=Path(weights) if weights else None).resolve()
    if onnx:
        size = model.input_shape[1] or 224
        inputs = keras.Input((size, size, 3))
        whole = keras.Model(inputs, model(preprocess(inputs)))
        whole(np.zeros((1, size, size, 3), np.float32))  # the export wants a model that has been called
        whole.export(onnx, format="onnx", verbose=False)
    return {"weights": weights}


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--backbones", nargs="+", default=["mobilenetv2", "resnet50", "efficientnetb0"])
    parser.add_argument("--precision", default="float32")
    parser.add_argument(
        "--part",
        help="folder of the photographs to use: train, validation or test; by default all for mobilenetv2, "
        "and validation for the others, which take ten times as long",
    )
    options = parser.parse_args()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for backbone in options.backbones:
            part = options.part or ("" if backbone == "mobilenetv2" else "validation")
            data = common.clothing() / part
            onnx = str(Path(folder) / "model.onnx") if backbone == "mobilenetv2" else ""
            weights = common.measure(__file__, "prepare", folder, backbone, onnx)["weights"]
            systems = {
                "embed": ("embed", data, backbone, weights, options.precision),
                "keras": ("keras", data, backbone),
                **({"onnxruntime": ("onnx", data, onnx)} if onnx else {}),
            }
            common.measure(__file__, *systems["embed"])  # the export, once
            runs: dict[str, list[dict[str, float]]] = {name: [] for name in systems}
            for _ in range(options.pairs):
                for name, arguments in systems.items():
                    runs[name].append(common.measure(__file__, *arguments))
                    print(
                        backbone, name, {k: round(v, 2) for k, v in runs[name][-1].items()}, file=sys.stderr
                    )
            ours = [run["per_second"] for run in runs["embed"]]
            results[backbone] = {
                "runs": runs,
                **{
                    f"against_{name}": common.ratio(ours, [run["per_second"] for run in runs[name]])
                    for name in systems
                    if name != "embed"
                },
                "of_ceiling": common.ratio(ours, [run["ceiling"] for run in runs["embed"]]),
            }
    for backbone, result in results.items():
        common.save(f"extraction-{backbone}", {backbone: result})
    print(f"{'backbone':16} {'against':12} {'median':>7} {'low':>7} {'high':>7}")
    for backbone, result in results.items():
        for what, value in result.items():
            if what != "runs":
                name = what.removeprefix("against_")
                print(
                    f"{backbone:16} {name:12} {value['median']:7.2f} {value['low']:7.2f} {value['high']:7.2f}"
                )


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        print(json.dumps(globals()[f"worker_{sys.argv[2]}"](*sys.argv[3:])))
    else:
        main()
