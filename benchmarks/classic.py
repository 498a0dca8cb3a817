"""The classic recipe, with the frozen network inside the training loop, against extract + fit.

    python benchmarks/classic.py [--pairs 1] [--epochs 5]

Both train on the same photographs (clothing, MobileNetV2 at 224 pixels) and are scored on the same test split; times are
of whole processes. The classic head: global average pooling → Dense(1024, relu) → batch normalisation → softmax.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import common


def worker_classic(data: str, epochs: str) -> dict[str, float]:
    """Train the head with the frozen network in front of it, as the tutorials do."""
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    splits = {
        name: keras.utils.image_dataset_from_directory(
            Path(data) / name,
            image_size=(224, 224),
            batch_size=32,
            shuffle=name == "train",
            seed=0,
            verbose=False,
        )
        for name in ("train", "validation", "test")
    }
    classes = len(splits["train"].class_names)
    base = keras.applications.MobileNetV2(include_top=False, weights="imagenet", pooling="avg")
    base.trainable = False
    inputs = keras.Input((224, 224, 3))
    x = base(keras.applications.mobilenet_v2.preprocess_input(inputs), training=False)
    x = keras.layers.Dense(1024, activation="relu")(x)
    x = keras.layers.BatchNormalization()(x)
    model = keras.Model(inputs, keras.layers.Dense(classes, activation="softmax")(x))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    splits = {name: dataset.prefetch(tf.data.AUTOTUNE) for name, dataset in splits.items()}
    model.fit(splits["train"], validation_data=splits["validation"], epochs=int(epochs), verbose=0)
    return {"accuracy": float(model.evaluate(splits["test"], verbose=0)[1])}


def timed_classic(data: Path, epochs: int) -> dict[str, float]:
    """Run the classic recipe as a process of its own."""
    start = time.perf_counter()
    return {**common.measure(__file__, "classic", data, epochs), "seconds": time.perf_counter() - start}


def timed_embed(data: Path, head: str) -> dict[str, float]:
    """Run ``embed extract`` and ``embed fit`` on an empty cache; the backbone was exported before."""
    with tempfile.TemporaryDirectory() as cache:
        start = time.perf_counter()
        common.embed("extract", str(data), "--cache", cache)
        fitted = common.embed("fit", "--clf", head, "--cache", cache)
        return {"accuracy": fitted["accuracy"], "seconds": time.perf_counter() - start}


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--pairs", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--clf", default="dense")
    options = parser.parse_args()
    data = common.clothing()
    timed_embed(data, options.clf)  # the export, once
    classic, ours = [], []
    for _ in range(options.pairs):
        classic.append(timed_classic(data, options.epochs))
        ours.append(timed_embed(data, options.clf))
        print(classic[-1], ours[-1], file=sys.stderr)
    faster = common.ratio([run["seconds"] for run in classic], [run["seconds"] for run in ours])
    common.save(
        "classic",
        {"epochs": options.epochs, "head": options.clf, "classic": classic, "embed": ours, "faster": faster},
    )
    print(f"{'':24} {'seconds':>8} {'test accuracy':>14}")
    for name, runs in (
        (f"classic, {options.epochs} epochs", classic),
        (f"extract + fit {options.clf}", ours),
    ):
        seconds = sorted(run["seconds"] for run in runs)[len(runs) // 2]
        print(f"{name:24} {seconds:8.1f} {runs[-1]['accuracy']:14.3f}")
    print(f"faster: {faster['median']:.1f} times ({faster['low']:.1f} to {faster['high']:.1f})")


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        print(json.dumps(globals()[f"worker_{sys.argv[2]}"](*sys.argv[3:])))
    else:
        main()
