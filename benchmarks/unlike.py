"""How well a model tells photographs that are unlike everything it was trained on: two data sets against each other.

    python benchmarks/unlike.py [--cache DIR]

A model of clothing is asked about its own scored photographs and about ants and bees, and one of ants and bees about its
own and about clothing. The area under the ROC curve is that of the similarity to the training photographs; beside it are
the share of the strange photographs that is told to be unlike, and that of the model's own (a false alarm). For
comparison, the area that the probability of the predicted class reaches.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

import common
import numpy as np

SETS = ("clothing", "ants_bees")


def judge(own: str, strange: str, cache: Path) -> dict[str, Any]:
    """Fit on one feature set, and compare its scored photographs with all of the other."""
    from sklearn.metrics import roc_auc_score

    from embed import learn
    from embed.cache import open_features

    features, others = open_features(cache, own), open_features(cache, strange)
    fitted = learn.fit(features, learn.FitOptions(name="unlike"))
    known = features.rows(fitted.split.scored)
    target = np.r_[np.zeros(len(known)), np.ones(len(others))]

    def area(of: Any) -> float:
        return float(roc_auc_score(target, -np.r_[of(known), of(others.X)]))

    model = fitted.model
    return {
        "own": len(known),
        "strange": len(others),
        "rows": len(model.reference.rows),
        "least_similarity": model.reference.least_similarity,
        "auc": area(model.similarity),
        "auc_probability": area(lambda X: model.predict_proba(X).max(axis=1)),
        "strange_told": float(model.unlike(others.X).mean()),
        "own_told": float(model.unlike(known).mean()),
    }


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--cache", type=Path, help="where the features are, or are to be")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cache = options.cache or Path(folder)
        names = {
            one: common.embed("extract", str(common.photographs(one)), "--cache", str(cache))["features"]
            for one in SETS
        }
        results = {}
        for own, strange in (SETS, SETS[::-1]):
            results[own] = judge(names[own], names[strange], cache)
            print(own, results[own], file=sys.stderr)
    common.save("unlike", results)
    print(f"{'model of':12} {'AUC':>6} {'of probability':>15} {'strange told':>13} {'own told':>9}")
    for own, row in results.items():
        print(
            f"{own:12} {row['auc']:6.3f} {row['auc_probability']:15.3f} {row['strange_told']:13.3f} {row['own_told']:9.3f}"
        )


if __name__ == "__main__":
    main()
