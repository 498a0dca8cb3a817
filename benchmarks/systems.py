"""The five walk-throughs of docs/systems.md, theirs and ours, one after the other as whole processes.

    python benchmarks/systems.py [--systems 1,2,3,4,5] [--data ants_bees,clothing] [--networks mobilenetv2] [--hours 1]

Theirs is their recipe in Keras as they describe it: the network inside the training loop, their head, optimiser, augmentation and
epochs. Ours are the commands of docs/systems.md. Both train and are scored on the same folders. MobileNetV2 stands in for the
networks whose published weights are not in KERAS_HOME; with `--networks own` those of the walk-throughs are timed with random weights,
and no accuracy is told. What would take longer than `--hours` is worked out from one epoch, and says so.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import common

SCORED = {"ants_bees": "val", "clothing": "test"}
TWO_CLASSES = "ants_bees"  # with which every command is run; a threshold is for two classes


@dataclass(frozen=True)
class System:
    """A walk-through.

    Parameters
    ----------
    name, network : str
        The network is theirs, by the name that `embed` has for it.
    size : int
        Pixels a side.
    augmented : tuple of str
        Layers of Keras that augment, as ``RandomFlip:horizontal``.
    head : tuple of str
        Layers behind the map, as ``Dense:1024:relu``; a softmax follows.
    optimiser : str
    epochs, unfrozen : int
        With the network frozen, and afterwards with its layers above a share of them trained.
    above : float
        That share.
    ours : tuple of str
        Commands; the first computes the features, `{data}` and `{network}` are filled in.
    scored : str
        The command among them that tells the accuracy.
    """

    name: str
    network: str
    head: tuple[str, ...]
    optimiser: str
    epochs: int
    ours: tuple[str, ...]
    size: int = 224
    augmented: tuple[str, ...] = ()
    unfrozen: int = 0
    above: float = 0.0
    more: tuple[str, ...] = field(
        default=()
    )  # that show what the walk-through shows; not timed against theirs


SYSTEMS = {
    1: System(
        "Llamas and oryxes, fine-tuned",
        "resnet50",
        ("GlobalAveragePooling2D", "Dense:1024:relu"),
        "RMSprop:1e-5",
        3,
        ("tune {data} --backbone {network}", "fit --clf dense --hidden 1024"),
        augmented=("RandomShear:0.2", "RandomZoom:0.2", "RandomFlip:horizontal"),
        unfrozen=1,
        above=0.8,  # layers 140 and above of 175
        more=(
            "extract {data} --backbone {network} --views 8",
            "fit --clf dense --hidden 1024",
            "predict {photo}",
            "predict {photo} --views",
        ),
    ),
    2: System(
        "Dogs and cats",
        "vgg16",
        ("Flatten", "Dense:100:relu", "Dense:100:relu", "Dense:100:relu"),
        "Adamax:1e-3",
        5,
        ("extract {data} --backbone {network} --pooling flatten", "fit --clf dense --hidden 100,100,100"),
        augmented=("RandomFlip:horizontal",),
        more=(
            "predict {photo} --model dense",
            "report --model dense",
            "fit --threshold 0.85",
            "fit --threshold auto",
        ),
    ),
    3: System(
        "Pet breeds, fine-tuned",
        "resnet50",
        ("GlobalAveragePooling2D", "BatchNormalization", "Dropout:0.25", "Dense:512:relu", "Dropout:0.5"),
        "Adam:1e-3",
        4,
        ("tune {data} --backbone {network} --size 299", "fit"),
        size=299,
        augmented=("RandomFlip:horizontal", "RandomRotation:0.03", "RandomZoom:0.1"),
        unfrozen=2,
        more=(
            "extract {data} --backbone {network} --size 299",
            "fit --labels regex:/([^/]+)/[^/]+$",
            "fit --seed 42",
            "compare",
            "report",
        ),
    ),
    4: System(
        "Chess champions and pets",
        "resnet50",
        ("Dropout:0.3", "GlobalAveragePooling2D", "Dense:1024", "BatchNormalization"),
        "Adam:1e-3",
        5,
        (
            "extract {data} --backbone {network}",
            "fit --clf dense --hidden 1024 --dropout 0.3 --batch-norm",
        ),
        more=(
            "explain {photo}",
            "matrix",
            "compare --learning-curve",
            "fit",
        ),
    ),
    5: System(
        "Kangaroos and wallabies",
        "vgg19",
        ("Flatten", "Dense:1024:relu", "Dropout:0.5", "Dense:1024:relu:1e-4"),
        "Adam:1e-4",
        21,
        (
            "extract {data} --backbone {network} --pooling flatten --views 8",
            "fit --clf dense --hidden 1024,1024 --dropout 0.5 --l2 1e-4",
        ),
        augmented=(
            "RandomRotation:0.1",
            "RandomTranslation:0.1:0.1",
            "RandomShear:0.2",
            "RandomZoom:0.2",
            "RandomFlip:horizontal",
        ),
        more=("fit --clf dummy",),
    ),
}


def commands() -> Iterator[str]:
    """Yield every command of ours."""
    for system in SYSTEMS.values():
        yield from (*system.ours, *system.more)


def layer(text: str) -> Any:
    """Return the layer of Keras that is meant."""
    import keras

    name, *arguments = text.split(":")
    if name == "Dense":
        units, activation, l2 = (*arguments, *("", "linear", "0")[len(arguments) :])
        penalty = keras.regularizers.L2(float(l2)) if float(l2) else None
        return keras.layers.Dense(int(units), activation, kernel_regularizer=penalty)
    numbers = [float(one) if re.match(r"[\d.]", one) else one for one in arguments]
    return getattr(keras.layers, name)(*numbers)


def worker_theirs(
    number: str, folder: str, scored: str, network: str, weights: str, epochs: str
) -> dict[str, Any]:
    """Train as the walk-through does, for at most so many epochs of each kind, and score."""
    import keras
    import tensorflow as tf

    from embed.backbones import BACKBONES

    system, application = SYSTEMS[int(number)], BACKBONES[network]
    keras.utils.set_random_seed(0)
    splits = {
        name: keras.utils.image_dataset_from_directory(
            Path(folder) / name,
            image_size=(system.size, system.size),
            batch_size=32,
            shuffle=name == "train",
            seed=0,
            verbose=False,
        )
        for name in ("train", scored)
    }
    classes = len(splits["train"].class_names)
    shape = (system.size, system.size, 3)
    base = getattr(keras.applications, application.keras_name)(
        include_top=False, weights=None if weights == "random" else "imagenet", input_shape=shape
    )
    base.trainable = False
    inputs = x = keras.Input(shape)
    for text in system.augmented:
        x = layer(text)(x)
    x = getattr(keras.applications, application.module).preprocess_input(x)
    x = base(x, training=False)
    for text in system.head:
        x = layer(text)(x)
    model = keras.Model(inputs, keras.layers.Dense(classes, activation="softmax")(x))
    splits = {name: dataset.prefetch(tf.data.AUTOTUNE) for name, dataset in splits.items()}
    spent: dict[str, list[tuple[float, float]]] = {"frozen": [], "unfrozen": []}
    for kind, count in (("frozen", system.epochs), ("unfrozen", system.unfrozen)):
        if kind == "unfrozen" and count:
            base.trainable = True
            for one in base.layers[: int(system.above * len(base.layers))]:
                one.trainable = False
            for one in base.layers:  # whose statistics are those of ImageNet
                if isinstance(one, keras.layers.BatchNormalization):
                    one.trainable = False
        name, rate = system.optimiser.split(":")
        optimiser = getattr(keras.optimizers, name)(float(rate) / (10 if kind == "unfrozen" else 1))
        model.compile(optimiser, "sparse_categorical_crossentropy", metrics=["accuracy"])
        for _ in range(min(count, int(epochs))):
            before = time.perf_counter(), time.process_time()
            model.fit(splits["train"], epochs=1, verbose=0)
            spent[kind].append((time.perf_counter() - before[0], time.process_time() - before[1]))
    hits = n = 0
    for pictures, truth in splits[scored]:
        hits += int((model.predict_on_batch(pictures).argmax(axis=1) == truth.numpy()).sum())
        n += len(truth)
    return {"hits": hits, "n": n, "spent": spent}


def process(command: list[str], **more: str) -> tuple[str, float, float]:
    """Run a command; return what it prints, its seconds, and those of the processors, its children's included."""
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as errors:
        running = subprocess.Popen(
            command, env=common.environment(**more), stdout=subprocess.PIPE, stderr=errors, text=True
        )
        assert running.stdout is not None
        output = running.stdout.read()
        _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
        if status:
            errors.seek(0)
            sys.exit(f"{' '.join(command)} ended with {running.returncode}: {errors.read()[-2000:]}")
    return output, time.perf_counter() - start, usage.ru_utime + usage.ru_stime


def theirs(number: int, data: str, network: str, weights: str, most_s: float) -> dict[str, Any]:
    """Measure their recipe; where it would take too long, one epoch of each kind."""
    system, folder = SYSTEMS[number], str(common.photographs(data))

    def run(epochs: int) -> dict[str, Any]:
        arguments = [number, folder, SCORED[data], network, weights, epochs]
        command = [sys.executable, __file__, "worker", "theirs", *map(str, arguments)]
        output, seconds, cpu = process(command)
        return {**json.loads(output.splitlines()[-1]), "seconds": seconds, "cpu": cpu}

    first = run(1)
    wanted = {"frozen": system.epochs, "unfrozen": system.unfrozen}
    for place, what in enumerate(("seconds", "cpu")):
        for kind, spent in first["spent"].items():
            first[what] += (wanted[kind] - len(spent)) * sum(one[place] for one in spent)
    if first["seconds"] > most_s:
        return {"seconds": first["seconds"], "cpu": first["cpu"], "worked_out": True}
    whole = run(max(wanted.values()))
    known = weights != "random"
    return {
        "seconds": whole["seconds"],
        "cpu": whole["cpu"],
        "worked_out": False,
        **({"hits": whole["hits"], "n": whole["n"]} if known else {}),
    }


def ours(number: int, data: str, network: str, weights: Path | None, cache: str) -> dict[str, Any]:
    """Measure our commands on an empty cache, and run the others once."""
    system, folder = SYSTEMS[number], common.photographs(data)
    photo = next((folder / SCORED[data]).rglob("*.jpg"))
    seconds = cpu = 0.0
    scored: dict[str, Any] = {}
    more = system.more if data == TWO_CLASSES else ()
    for text in (*system.ours, *more):
        words = text.format(data=folder, network=network, photo=photo).split()
        if weights is not None and words[0] in ("extract", "tune"):
            words += ["--weights", str(weights)]
        if words[0] == "explain":
            words += ["--out", f"{cache}/maps"]
        elif words[0] in ("report", "matrix"):
            words += ["--out", f"{cache}/{words[0]}.{'html' if words[0] == 'report' else 'png'}"]
        else:
            words.append("--json")
        output, took, used = process([*common.EMBED, *words, "--cache", cache])
        print(f"    embed {text}: {took:.1f} s", file=sys.stderr)
        if text in system.ours:
            seconds, cpu = seconds + took, cpu + used
            scored = json.loads(output)
    known = {} if weights is not None else {"hits": round(scored["accuracy"] * scored["n"]), "n": scored["n"]}
    return {"seconds": seconds, "cpu": cpu, **known}


def random_weights(network: str, size: int, folder: str) -> Path:
    """Write random weights of a network, and return their file."""
    code = (
        "import sys, keras; keras.utils.set_random_seed(0);"
        "getattr(keras.applications, sys.argv[1])(weights=None, include_top=False).save_weights(sys.argv[2])"
    )
    from embed.backbones import BACKBONES

    file = Path(folder) / f"{network}.weights.h5"
    process([sys.executable, "-c", code, BACKBONES[network].keras_name, str(file)])
    return file


def published(network: str) -> bool:
    """Return whether Keras finds the weights of a network on this machine."""
    from embed.backbones import BACKBONES

    home = Path(common.environment().get("KERAS_HOME", Path.home() / ".keras"))
    return (home / "models" / BACKBONES[network].weights_file).is_file()


def row(number: int, data: str, network: str, most_s: float) -> dict[str, Any]:
    """Measure one walk-through on some photographs with one network."""
    known = published(network)
    with tempfile.TemporaryDirectory() as folder:
        weights = None if known else random_weights(network, SYSTEMS[number].size, folder)
        their = theirs(number, data, network, "imagenet" if known else "random", most_s)
        our = ours(number, data, network, weights, f"{folder}/cache")
    faster = {what: their[what] / our[what] for what in ("seconds", "cpu")}
    return {
        "system": number,
        "data": data,
        "network": network,
        "theirs": their,
        "ours": our,
        "faster": faster,
    }


def accuracy(one: dict[str, Any]) -> str:
    from embed.learn.evaluation import wilson_interval

    if "n" not in one:
        return ""
    low, high = wilson_interval(one["hits"], one["n"])
    return f"{one['hits'] / one['n']:.3f} ({low:.3f} to {high:.3f})"


def table(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the rows as they are quoted."""
    for one in rows:
        their, our = one["theirs"], one["ours"]
        yield {
            "walk-through": f"{one['system']}. {SYSTEMS[one['system']].name}",
            "photographs": one["data"],
            "network": one["network"],
            "theirs, s": f"{their['seconds']:.0f}{' (worked out)' if their['worked_out'] else ''}",
            "ours, s": f"{our['seconds']:.0f}",
            "times": f"{one['faster']['seconds']:.1f}",
            "CPU seconds": f"{their['cpu']:.0f}, {our['cpu']:.0f}",
            "theirs, right": accuracy(their),
            "ours, right": accuracy(our),
        }


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--systems", default="1,2,3,4,5")
    parser.add_argument("--data", default="ants_bees,clothing")
    parser.add_argument(
        "--networks", default="mobilenetv2", help="mobilenetv2, or own: that of the walk-through"
    )
    parser.add_argument(
        "--hours", type=float, default=1.0, help="that theirs may take, before it is worked out"
    )
    options = parser.parse_args()
    former = common.RESULTS / "systems.json"
    rows = json.loads(former.read_text())["rows"] if former.is_file() else []
    for data in options.data.split(","):
        for number in map(int, options.systems.split(",")):
            for network in options.networks.split(","):
                name = SYSTEMS[number].network if network == "own" else network
                print(f"{number} {data} {name}", file=sys.stderr)
                done = row(number, data, name, options.hours * 3600)
                key = (number, data, name)
                rows = [one for one in rows if (one["system"], one["data"], one["network"]) != key]
                rows.append(done)
                rows.sort(key=lambda one: (one["data"], one["system"], one["network"]))
                common.save("systems", {"rows": rows})
    common.print_table(table(rows))


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        print(json.dumps(globals()[f"worker_{sys.argv[2]}"](*sys.argv[3:])))
    else:
        main()
