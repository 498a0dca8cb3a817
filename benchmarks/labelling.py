"""How much a person has to do until a classifier is right: groups first and then the uncertain, against a random order.

    python benchmarks/labelling.py [--cache FOLDER] [--goal 0.85] [--groups 40] [--seeds 5]

A simulated person names the photographs of the training part of clothing, who knows their class. In groups, a click gives all of a
group the name of most of it, and one click more for each photograph takes one away that does not belong; a group without a
majority is passed over. Then, or from the start, one click names one photograph: the least sure ones of a classifier that is fitted
anew after every ten, or any. Counted are the clicks until the accuracy on the test part, which nobody looks at, reaches the goal.
"""

import statistics
import sys
import tempfile
from collections import Counter
from typing import Any

import common
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize

import embed
from embed import search

BATCH = 10  # photographs named between two fits
STRENGTH = 100.0  # C of the logistic regression on features of length one
MAJORITY = 0.5  # of a group, below which it is passed over


class Person:
    """Names photographs, and counts the clicks.

    Parameters
    ----------
    truth : ndarray of shape (n,)
        The class of each photograph.
    """

    def __init__(self, truth: NDArray[np.object_]) -> None:
        self.truth = truth
        self.named = np.zeros(len(truth), bool)
        self.clicks = 0

    def name_group(self, rows: NDArray[np.int64]) -> None:
        """Name most of a group."""
        name, count = Counter(self.truth[rows].tolist()).most_common(1)[0]
        if count <= MAJORITY * len(rows):
            return
        self.named[rows[self.truth[rows] == name]] = True
        self.clicks += 1 + len(rows) - count

    def name(self, rows: NDArray[np.int64]) -> None:
        """Name photographs one by one."""
        self.named[rows] = True
        self.clicks += len(rows)


def until(
    goal: float,
    X: NDArray[Any],
    person: Person,
    test: tuple[Any, Any],
    groups: list[NDArray[np.int64]],
    order: str,
    seed: int,
) -> tuple[int, int]:
    """Let a person go on, group by group first, until the goal is reached; return the clicks and the photographs that have a name."""
    generator = np.random.default_rng(seed)
    drawn = generator.permutation(len(X))
    model, known = LogisticRegression(), set[str]()
    while True:
        classes = set(person.truth[person.named])
        left = drawn[~person.named[drawn]]
        if len(classes) > 1:
            if classes != known:  # otherwise a fit begins where the last one ended
                model, known = LogisticRegression(C=STRENGTH, max_iter=1000, warm_start=True), classes
            model.fit(X[person.named], person.truth[person.named].astype(str))
            if (model.predict(test[0]) == test[1].astype(str)).mean() >= goal or not len(left):
                return person.clicks, int(person.named.sum())
            if order == "unsure":
                best = np.sort(model.predict_proba(X[left]), axis=1)
                left = left[np.argsort(best[:, -1] - best[:, -2], kind="stable")]
        if groups:
            person.name_group(groups.pop(0))
        else:
            person.name(left[:BATCH])


def main() -> None:
    """Measure, and keep the figures."""
    parser = common.arguments(__doc__)
    common.takes_cache(parser)
    parser.add_argument("--goal", type=float, default=0.85)
    parser.add_argument("--groups", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        features = embed.open(common.cached(options.cache, folder, "clothing"), "clothing")
        train, scored = (features.select(split=split) for split in ("train", "test"))
        X, test = normalize(train.X), (normalize(scored.X), scored.y)
        rows: list[dict[str, Any]] = []
        for order in ("groups, then unsure", "unsure", "random"):
            found = []
            for seed in range(options.seeds):
                person = Person(train.y)
                groups = []
                if order.startswith("groups"):
                    grouped = search.clusters(features.cache, options.groups, rows=train.rows, seed=seed)
                    place = {row: i for i, row in enumerate(train.rows.tolist())}
                    groups = [
                        np.array([place[row] for row in group.rows.tolist()]) for group in grouped.groups
                    ]
                then = "random" if order == "random" else "unsure"
                found.append(until(options.goal, X, person, test, groups, then, seed))
                print(order, seed, found[-1], file=sys.stderr)
            clicks, named = ([one[i] for one in found] for i in (0, 1))
            rows.append(
                {
                    "order": order,
                    "clicks": statistics.median(clicks),
                    "lowest": min(clicks),
                    "highest": max(clicks),
                    "photographs named": statistics.median(named),
                }
            )
    common.print_table(rows)
    common.save(
        "labelling", {"goal": options.goal, "groups": options.groups, "seeds": options.seeds, "rows": rows}
    )


if __name__ == "__main__":
    main()
