"""Compare runs of train.py on the held-out pictures: `python -m training.compare short-both short-distil …`.

One measure that serves every loss: whole held-out pictures, average-pooled L2-normalised features, a ridge
classifier, five-fold cross-validation over the 200 classes (about eight pictures of each to learn from, chance is
0.5 %). Rows go to results/variants.csv.
"""

import argparse
import csv
import json

import numpy as np
import torch
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import KFold, cross_val_score
from sklearn.preprocessing import normalize

from training.data import HELD_OUT, WORK, labels, pictures
from training.package import RESULTS, trained
from training.teacher import crop

PENALTIES = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]
COLUMNS = ["run", "samples", "sizes", "stages", "optimiser", "step", "distil", "local", "classify", "mosaic"]


@torch.no_grad()
def features(name: str, size: int) -> np.ndarray:
    """Average-pooled features of the held-out pictures, float32 of shape (2000, dimension)."""
    network = trained(name)
    whole = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
    rows = []
    for start in range(0, HELD_OUT, 100):
        batch = torch.from_numpy(pictures()[start : start + 100]).permute(0, 3, 1, 2).float()
        rows.append(network(crop(batch, whole.expand(len(batch), 4), size)).mean((2, 3)))
    return torch.cat(rows).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+")
    classes = labels()[:HELD_OUT]
    rows = []
    for name in parser.parse_args().names:
        options = {"run": name, **json.loads((WORK / name / "options.json").read_text())}
        size = int(options["sizes"].rsplit(":", 1)[-1].rsplit("+", 1)[-1])
        head = RidgeClassifierCV(PENALTIES)
        folds = KFold(5, shuffle=True, random_state=0)
        accuracy = cross_val_score(head, normalize(features(name, size)), classes, cv=folds).mean()
        rows.append([*(options[column] for column in COLUMNS), f"{accuracy:.3f}"])
        print(*rows[-1], flush=True)
    with (RESULTS / "variants.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([[*COLUMNS, "held_out_accuracy"], *rows])


if __name__ == "__main__":
    main()
