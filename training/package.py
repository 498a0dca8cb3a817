"""Turn a run of train.py into what is committed: `python -m training.package final`.

Writes the weights file of the package, and the run's options, log and learning curve to results/.
"""

import argparse
import csv
import hashlib
import json
import shutil
from pathlib import Path

import matplotlib.pyplot as plt
import torch

from embed.backbones.onnx_file import TINY
from training.data import WORK
from training.network import Network, save_weights
from training.train import configure

RESULTS = Path(__file__).resolve().parent / "results"


def trained(name: str) -> Network:
    """The averaged network of a run, as it stands in its last checkpoint."""
    options = argparse.Namespace(**json.loads((WORK / name / "options.json").read_text()))
    configure(options)
    network = Network()
    state = torch.load(WORK / name / "checkpoint.pt", weights_only=True)["average"]
    prefix = "network."
    network.load_state_dict(
        {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
    )
    return network.eval()


def draw_curve(log: Path, picture: Path) -> None:
    """Loss on the training crops, cosine and accuracy on the held-out pictures, over the samples seen."""
    with log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    samples = [int(row["samples"]) / 1000 for row in rows]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    left.plot(samples, [float(row["loss"]) for row in rows], color="black")
    left.set(xlabel="thousand crops", ylabel="loss", title="training crops")
    right.plot(samples, [float(row["cosine64"]) for row in rows], label="cosine with the teacher")
    right.plot(samples, [float(row["top1_64"]) for row in rows], label="top-1, 200 classes")
    right.set(xlabel="thousand crops", title="held-out pictures, 64 px", ylim=(0, None))
    right.legend(frameon=False)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(picture, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name")
    name = parser.parse_args().name
    save_weights(trained(name), TINY.file)
    RESULTS.mkdir(exist_ok=True)
    for file in ("log.csv", "options.json"):
        shutil.copy(WORK / name / file, RESULTS / file)
    draw_curve(RESULTS / "log.csv", RESULTS / "curve.png")
    content = TINY.file.read_bytes()
    print(f"{TINY.file.name}: {len(content) / 1e6:.2f} MB, sha256 {hashlib.sha256(content).hexdigest()}")


if __name__ == "__main__":
    main()
