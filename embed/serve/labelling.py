"""Labels given by clicking: groups of photographs, then those that the classifier is least sure of, then some drawn at random."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed import api
from embed.errors import LabelError, UsageError
from embed.serve.answers import described, row_of
from embed.serve.collection import Snapshot
from embed.serve.desk import Desk
from embed.serve.endpoint import Asked, Endpoint, Takes
from embed.serve.jobs import Job

MOST_SHOWN = 400  # photographs of a group on its contact sheet
MOST_CHANGED = 100_000
FOLDS = 5
MOST_CROSS_VALIDATED = 2000  # labelled photographs; of more, a share is held out
ORDERS = ("unsure", "random")
CLASSIFIERS = ("logistic", "dense", "svm", "linear-svm", "knn")
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Fit:
    """How well a classifier did, and with how many labels."""

    labelled: int
    n: int
    accuracy: float
    low: float
    high: float
    evaluated_on: str


def endpoints(desk: Desk) -> list[Endpoint]:
    """Return what this module answers."""
    labelling = Labelling(desk)
    return [
        Endpoint(
            "GET",
            "/api/groups",
            "Groups of photographs that are alike, with a sheet of each.",
            labelling.groups,
        ),
        Endpoint(
            "POST",
            "/api/groups",
            "Group the photographs, in the background.",
            labelling.group,
            body={
                "groups": Takes(
                    int, "How many; by default as many as tell them apart best.", least=1, most=10_000
                )
            },
        ),
        Endpoint("GET", "/api/labels", "The labels that were given by hand.", labelling.labels),
        Endpoint(
            "POST",
            "/api/labels",
            "Give photographs their labels, or take them away, in one change that is on the disk when this answers.",
            labelling.give,
            body={
                "labels": Takes(dict, "Path → label; null takes it away.", needed=True),
                "expected": Takes(
                    dict, "Path → the label that it is believed to have; one that has another keeps that."
                ),
                "split": Takes(str, "That the photographs are in from now on.", choices=SPLITS),
            },
        ),
        Endpoint(
            "GET",
            "/api/labels/next",
            "Photographs to be labelled next.",
            labelling.next,
            query={
                "order": Takes(
                    str,
                    "unsure: the least sure first; random: drawn for the test part.",
                    "unsure",
                    choices=ORDERS,
                ),
                "limit": Takes(int, "How many at most.", 24, least=1, most=500),
            },
        ),
        Endpoint(
            "POST",
            "/api/labels/adopt",
            "Give every photograph the label of its folder by hand, where it has none: from then on they can be changed.",
            labelling.adopt,
        ),
        Endpoint(
            "POST",
            "/api/fit",
            "Fit a classifier on the labels, in the background.",
            labelling.fit,
            body={
                "classifier": Takes(
                    str, "Which; by default the one fitted last, or logistic.", choices=CLASSIFIERS
                ),
                "threshold": Takes(
                    float, "For two classes: predict the second from this probability.", least=0, most=1
                ),
            },
        ),
    ]


class Labelling:
    """Gives and shows labels."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._fits: list[Fit] = []

    async def groups(self, asked: Asked) -> dict[str, Any]:
        """Return the groups."""
        return await self._desk.call(_groups, self._desk.now)

    async def group(self, asked: Asked) -> dict[str, Any]:
        """Start to group."""
        count = asked["groups"]

        def work(job: Job) -> None:
            cache = self._desk.now.cache
            api.group(cache, None if count is None else min(count, len(cache)), progress=job.told)

        return self._desk.jobs.start("group", work, again=True).document()

    async def labels(self, asked: Asked) -> dict[str, Any]:
        """Return what was given by hand, and how well each classifier did."""
        return await self._desk.call(self._labels, self._desk.now)

    async def give(self, asked: Asked) -> dict[str, Any]:
        """Give labels."""
        if not 0 < len(asked["labels"]) <= MOST_CHANGED:
            raise UsageError(f"are 1 to {MOST_CHANGED:,} at a time", "labels")
        return await self._desk.call(self._give, asked["labels"], asked["split"], asked["expected"])

    async def next(self, asked: Asked) -> dict[str, Any]:
        """Return what is best labelled next."""
        return await self._desk.call(_next, self._desk.now, asked["order"], asked["limit"])

    async def adopt(self, asked: Asked) -> dict[str, Any]:
        """Make the labels of the folders labels by hand."""
        return await self._desk.call(self._adopt, self._desk.now)

    async def fit(self, asked: Asked) -> dict[str, Any]:
        """Start to fit."""
        classifier, threshold = asked["classifier"], asked["threshold"]
        return self._desk.jobs.start(
            "fit", lambda job: self._fitted(job, classifier, threshold), again=True
        ).document()

    def _labels(self, now: Snapshot) -> dict[str, Any]:
        given = now.given.labels
        of_split: dict[str, int] = {}
        for split in given.splits.tolist():
            if split is not None:
                of_split[split] = of_split.get(split, 0) + 1
        return {
            "file": str(now.cache.labels_file),
            "counts": given.counts,
            "splits": of_split,
            "labelled": len(now.cache) - len(given.unlabelled),
            "photographs": len(now.cache),
            "fits": [vars(fit) for fit in self._fits],
        }

    def _give(
        self, labels: dict[str, str | None], split: str | None, expected: dict[str, str | None] | None
    ) -> dict[str, Any]:
        done = api.label_each(self._desk.now.cache, labels, split=split, expected=expected)
        self._desk.collection.refresh()
        given = self._desk.now.given.labels.labels
        left = [
            path
            for path, label in labels.items()
            if given[row_of(self._desk.now, path)] != (None if label is None else label.strip())
        ]
        return {"file": str(done.file), "former": dict(done.former), "left": left}

    def _adopt(self, now: Snapshot) -> dict[str, Any]:
        folders = api.Features(now.cache, "folder").y
        names = {
            path: label
            for path, label, own in zip(now.features.paths, folders, now.given.labels.labels, strict=True)
            if label is not None and own is None
        }
        if names:
            api.label_each(now.cache, names, expected=dict.fromkeys(names))
            self._desk.collection.refresh()
        return {"photographs": len(names)}

    def _fitted(self, job: Job, classifier: str | None, threshold: float | None) -> dict[str, Any]:
        self._desk.collection.refresh()
        now = self._desk.now
        y, splits = now.features.y, now.features.splits
        labelled = np.array([label is not None for label in y])
        parted = any(split in ("test", "validation") for split in splits[labelled])
        few = labelled.sum() <= MOST_CROSS_VALIDATED
        last = CLASSIFIERS[0] if now.model is None else now.model.document["classifier"]
        options = api.FitOptions(
            classifier=classifier or (last if last in CLASSIFIERS else CLASSIFIERS[0]),
            labels=now.features.rule,
            cv=None if parted or not few else _folds(y[labelled]),
            threshold=threshold if threshold is None or 0 < threshold < 1 else None,
        )
        fitted = api.fit(now.cache, options, job.told)
        low, high = fitted.evaluation.interval
        self._fits.append(
            Fit(
                int(labelled.sum()),
                len(fitted.evaluation),
                fitted.evaluation.accuracy,
                low,
                high,
                fitted.model.document["evaluated_on"],
            )
        )
        return {"model": fitted.model.name}


def _folds(labels: NDArray[np.object_]) -> int | None:
    """Return in how many folds so many labels can be cross-validated. Raises LabelError where in none."""
    _, counts = np.unique(labels.astype(str), return_counts=True)
    if len(counts) < 2:
        raise LabelError("A classifier needs two names: give another one to some photographs.")
    fewest = int(counts.min())
    if fewest < 2:
        raise LabelError("A classifier needs two photographs of each name, so that it can be judged.")
    return min(FOLDS, fewest)


def _groups(now: Snapshot) -> dict[str, Any]:
    groups = now.given.groups
    if groups is None:
        return {"groups": None, "outdated": ""}
    labels, splits = now.given.labels.labels, now.given.labels.splits
    found = []
    for number, rows in groups.rows.items():
        names: dict[str, int] = {}
        for row in rows.tolist():
            if labels[row] is not None:
                names[labels[row]] = names.get(labels[row], 0) + 1
        found.append(
            {
                "number": number,
                "count": len(rows),
                "labels": names,
                "photographs": [
                    {**described(now, now.cache.path(row)), "label": labels[row], "split": splits[row]}
                    for row in rows[:MOST_SHOWN].tolist()
                ],
                "more": {
                    now.cache.path(row): labels[row]
                    for row in rows[MOST_SHOWN:].tolist()
                    if splits[row] is None  # the others were looked at, one by one
                },
            }
        )
    return {"groups": found, "outdated": groups.outdated}


def _next(now: Snapshot, order: str, limit: int) -> dict[str, Any]:
    given = now.given.labels
    if order == "random":
        # Whatever was named with its group may be drawn; what was drawn before is in a split.
        rows = np.flatnonzero([split is None for split in given.splits])
    else:
        rows = np.flatnonzero([label is None for label in given.labels])
    # The digest of a content is as good as drawn at random, and the same whoever asks.
    drawn = np.argsort(np.ascontiguousarray(now.cache.sha256[rows][:, :8]).view(">u8")[:, 0], kind="stable")
    rows = rows[drawn]
    if order == "unsure" and now.predicted is not None:
        rows = rows[np.argsort(-now.predicted.unsure[rows], kind="stable")]
    listed = []
    for row in rows[:limit].tolist():
        one = {**described(now, now.cache.path(row)), "label": given.labels[row]}
        if now.predicted is not None:
            one["predicted"] = now.predicted.classes[now.predicted.best[row]]
            one["probability"] = round(float(now.predicted.probability[row]), 4)
        listed.append(one)
    return {"left": len(rows), "photographs": listed}
