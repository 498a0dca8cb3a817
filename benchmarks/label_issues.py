"""How well wrong labels are found: labels are changed on purpose, and the photographs ranked by doubt.

    python benchmarks/label_issues.py [--cache FOLDER] [--cleanlab PYTHON] [--seeds 3]

On the training part of clothing and on ants and bees: labels changed at random (5 and 10 %), and to the class that looks most
alike (10 %), which is the one that a classifier fitted on the right labels takes it for most often. Average precision of the
ranking, over all seeds; the estimated number of wrong labels; precision and recall of those that are marked. What the
photographs have of wrong labels to begin with counts as right, so that no method can reach 1. Beside it, from the same
features and folds: the margin and the probability of the given label, by one classifier; and cleanlab, where another
environment has it (it is no dependency, and its licence is the AGPL):

    python -m venv cleanlab-env && cleanlab-env/bin/pip install cleanlab

Processor seconds are those of judging, as a ratio to one cross-validation of the same classifier right after it.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import common
import numpy as np
import pandas as pd

from embed.cache import FeatureCache, list_features
from embed.labels import of
from embed.learn import label_issues, selection, splits

T = TypeVar("T")

NOISES = (("at random", 0.05), ("at random", 0.10), ("looks alike", 0.10))
CLEANLAB = """
import sys, json, numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
given, found = np.load(sys.argv[1]), []
for y, p in zip(given["y"], given["p"]):
    found.append({
        "quality": get_label_quality_scores(y, p).tolist(),
        "margin": get_label_quality_scores(y, p, method="normalized_margin").tolist(),
        "listed": find_label_issues(y, p, n_jobs=1).tolist(),
    })
print(json.dumps(found))
"""  # run by the Python that has cleanlab


@dataclass
class Case:
    """Labels of which some were changed, and what is found of them."""

    data: str
    changed: str
    share: float
    wrong: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray  # by one cross-validation
    figures: dict[str, float]


def material(features: FeatureCache) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return X, y and the contents of the photographs to train on; of all where no folder says which those are."""
    labelled = of(features)
    rows = np.flatnonzero(labelled.splits == "train")
    if not len(rows):
        rows = np.arange(len(features))
    y = np.unique(labelled.labels[rows].astype(str), return_inverse=True)[1]
    return features.rows(rows), y, splits.keys_of(features.sha256[rows], None)


def once(X: np.ndarray, y: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Return the probabilities of one cross-validation."""
    fold = splits.inner_folds(y, keys, label_issues.FOLDS, label_issues.SEED)
    return selection.OutOfFold("logistic", X, y, fold, {"C": label_issues.STRENGTH}).predict_proba()


def changed(y: np.ndarray, share: float, seed: int, alike: np.ndarray | None) -> np.ndarray:
    """Return labels of which a share, drawn from all, is another class: any, or the one that looks alike."""
    generator = np.random.default_rng(seed)
    rows = generator.choice(len(y), round(share * len(y)), replace=False)
    count = int(y.max()) + 1
    labels = y.copy()
    labels[rows] = (
        (y[rows] + generator.integers(1, count, len(rows))) % count if alike is None else alike[y[rows]]
    )
    return labels


def ask_cleanlab(python: str, cases: list[Case]) -> None:
    """Add what cleanlab finds to the figures of cases of one data set."""
    from sklearn.metrics import average_precision_score as area

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "given.npz"
        np.savez(file, y=[case.labels for case in cases], p=[case.probabilities for case in cases])
        done = subprocess.run(
            [python, "-c", CLEANLAB, str(file)], stdout=subprocess.PIPE, text=True, check=True
        )
    for case, found in zip(cases, json.loads(done.stdout), strict=True):
        case.figures["cleanlab"] = area(case.wrong, -np.array(found["quality"]))
        case.figures["cleanlab margin"] = area(case.wrong, -np.array(found["margin"]))
        case.figures |= of_list("cleanlab ", np.array(found["listed"]), case.wrong)


def of_list(prefix: str, listed: np.ndarray, wrong: np.ndarray) -> dict[str, float]:
    """Return how many are on a list, its precision and its recall."""
    right = float((listed & wrong).sum())
    return {
        f"{prefix}listed": int(listed.sum()),
        f"{prefix}precision": right / max(1, int(listed.sum())),
        f"{prefix}recall": right / max(1, int(wrong.sum())),
    }


def judge(
    X: np.ndarray, keys: np.ndarray, wrong: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, dict[str, float]]:
    """Return the probabilities of one cross-validation, and what each method finds of the wrong labels."""
    from sklearn.metrics import average_precision_score as area

    each = np.arange(len(y))
    found, ours = timed(label_issues.doubts, X, y, keys)
    probabilities, theirs = timed(once, X, y, keys)
    marked = np.zeros(len(y), bool)
    marked[np.argsort(-found.doubt, kind="stable")[: found.wrong]] = True
    given = probabilities[each, y]
    others = probabilities.copy()
    others[each, y] = -1
    return probabilities, {
        "wrong": int(wrong.sum()),
        "embed": area(wrong, found.doubt),
        "margin": area(wrong, others.max(axis=1) - given),
        "probability": area(wrong, -given),
        **of_list("", marked, wrong),
        "seconds": ours,
        "seconds of one cross-validation": theirs,
    }


def timed(judging: Callable[..., T], *given: np.ndarray) -> tuple[T, float]:
    """Return what judging gives, and its processor seconds."""
    start = time.process_time()
    return judging(*given), time.process_time() - start


def of_data(name: str, features: FeatureCache, seeds: range) -> tuple[list[Case], dict[str, int]]:
    """Return the cases of a data set, and how many labels are judged and wrong as it is."""
    X, y, keys = material(features)
    right = once(X, y, keys)
    mean = np.array([right[y == k].mean(axis=0) for k in range(right.shape[1])])
    np.fill_diagonal(mean, -1)
    cases = []
    for kind, share in NOISES:
        for seed in seeds:
            labels = changed(y, share, seed, mean.argmax(axis=1) if kind == "looks alike" else None)
            case = Case(name, kind, share, labels != y, labels, *judge(X, keys, labels != y, labels))
            cases.append(case)
            print(name, kind, share, seed, case.figures, file=sys.stderr, flush=True)
    as_it_is = label_issues.doubts(X, y, keys)
    return cases, {"judged": int(as_it_is.judged.sum()), "wrong": as_it_is.wrong}


def main() -> None:
    parser = common.arguments(__doc__)
    common.takes_cache(parser)
    parser.add_argument("--cleanlab", default="", help="Python of an environment that has cleanlab")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=100)
    options = parser.parse_args()
    os.environ.update(common.environment())
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    cases: list[Case] = []
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        cache = common.cached(options.cache, folder, "ants_bees", "clothing")
        sets = {one.name.split("--")[0]: FeatureCache.open(one) for one in list_features(cache)}
        for name in ("clothing", "ants_bees"):
            found, results[f"{name}, as it is"] = of_data(name, sets[name], seeds)
            if options.cleanlab:
                ask_cleanlab(options.cleanlab, found)
            results[f"{name}, times one cross-validation"] = common.ratio(
                [case.figures["seconds"] for case in found],
                [case.figures["seconds of one cross-validation"] for case in found],
            )
            cases += found
    table = pd.DataFrame(
        [{"data": one.data, "changed": one.changed, "share": one.share, **one.figures} for one in cases]
    )
    means = table.groupby(["data", "changed", "share"], sort=False, as_index=False).mean()
    print(means.round(3).to_string(index=False))
    print(results)
    common.save("label_issues", {"seeds": list(seeds), "rows": means.to_dict("records"), **results})


if __name__ == "__main__":
    main()
