"""Fitting a classifier on a feature set, and the honest number.

- The strength of a head is chosen by cross-validation within the training part (a dense head stops by the
  validation part
  where there is one, otherwise by a share of the training part).
- With validation and test: the threshold is tuned on validation; then the head is fitted on both with its strength as
  chosen, and looks at test once, for the number that is printed.
- With one of them: it is what the number is about, and nothing is chosen on it; a threshold is tuned on
  photographs held out
  of training.
- With cross-validation: every fold is scored by a head that chose its strength without it; the model that is
  kept is fitted
  on all folds.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from embed import __version__, labels
from embed.cache import FeatureCache
from embed.errors import UsageError
from embed.labels import Labels
from embed.learn import models, splits
from embed.learn.bench import Bench, FitOptions
from embed.learn.evaluation import Evaluation, best_threshold
from embed.learn.splits import NearDuplicates, Split

AUTO = "auto"  # a threshold to be tuned


@dataclass(frozen=True)
class Fitted:
    """A fitted model, and what is to be said about it.

    Attributes:
        model: as it was saved.
        evaluation: the answers that the printed accuracy is about.
        validation: the answers on validation where there is a test part as well; None otherwise.
        labels: label and split of every photograph of the feature set.
        split: the roles.
        near_duplicates: photographs scored that are nearly one trained on.
        notes: sentences that a user should read before believing the number.
        seconds: that fitting took.
    """

    model: models.Model
    evaluation: Evaluation
    validation: Evaluation | None
    labels: Labels
    split: Split
    near_duplicates: NearDuplicates
    notes: list[str]
    seconds: float

    def summary(self) -> dict[str, Any]:
        """Return the result as one JSON object."""
        document = self.model.document
        metrics = document["metrics"]
        return {
            "model": str(self.model.folder),
            "classifier": document["classifier"],
            "classes": document["classes"],
            "n_train": document["n_train"],
            "n_validation": document["n_validation"],
            "n_test": document["n_test"],
            "n_unlabelled": document["n_unlabelled"],
            **metrics,
            "evaluated_on": document["evaluated_on"],
            "split": document["split"],
            "chosen": document["chosen"],
            "near_duplicates": document["near_duplicates"],
            "notes": self.notes,
            "seconds": round(self.seconds, 3),
        }


def fit(features: FeatureCache, options: FitOptions | None = None) -> Fitted:
    """Fit a classifier on a feature set, score it on photographs that it has not seen, and save it.

    Raises:
        LabelError: there are no labels, or too few.
        UsageError: an option cannot work.
        CacheDamagedError, CacheWriteError: the features cannot be read or the model not written.
    """
    options = options or FitOptions()
    started = time.perf_counter()
    name = models.check_name(options.name or options.classifier)
    labelled = labels.assign(features.paths.tolist(), options.labels, features.root)
    groups = labels.groups(features.paths.tolist(), options.group) if options.group else None
    split = splits.divide(labelled, features.sha256, seed=options.seed, cv=options.cv, groups=groups)
    threshold = _checked_threshold(options.threshold, labelled, split)
    bench = Bench(features, labelled, options)
    if split.fold is not None:
        head, scored, tuned = _cross_validate(bench, split, threshold)
    else:
        head, scored, tuned = _hold_out(bench, split, threshold)
    evaluation = scored[split.evaluated_on]
    near = splits.near_duplicates_across(features.rows, split)
    notes = _notes(labelled, split, groups, near, evaluation, features)
    seconds = time.perf_counter() - started
    document = {
        "classifier": options.classifier,
        "classes": list(evaluation.classes),
        "labels": labelled.rule,
        "threshold": tuned,
        "threshold_asked": options.threshold,
        "balanced": options.balanced,
        "seed": options.seed,
        "group": options.group,
        "cv": options.cv,
        "options": {key: _plain(value) for key, value in options.head.items()},
        "chosen": {key: _plain(value) for key, value in head.chosen_.items()},
        "search": [{k: _plain(v) for k, v in row.items()} for row in head.search_],
        "learning_curve": learning_curve(head),
        "features": features.name,
        "recipe_hash": features.recipe.hash,
        "fingerprint": features.fingerprint,
        "dimension": features.dimension,
        "n_train": len(split.train),
        "n_validation": len(split.validation),
        "n_test": len(split.test),
        "n_unlabelled": len(labelled.unlabelled),
        "frequencies": [int(n) for n in evaluation.frequencies],
        "split": split.description,
        "evaluated_on": split.evaluated_on,
        "metrics": evaluation.summary(),
        "near_duplicates": len(near.pairs),
        "notes": notes,
        "seconds": seconds,
        "versions": _versions(),
    }
    model = models.save(features, name, head, document, scored)
    validation = scored.get("validation") if len(split.test) and split.fold is None else None
    return Fitted(model, evaluation, validation, labelled, split, near, notes, time.perf_counter() - started)


Scored = dict[str, Evaluation]


def _hold_out(bench: Bench, split: Split, threshold: float | str | None) -> tuple[Any, Scored, float | None]:
    head = bench.fit(split.train, split.validation if len(split.test) else None)
    scored: Scored = {}
    trained = split.train
    if len(split.validation):
        scored["validation"] = bench.score(head, trained, split.validation)
    tuned = _tuned(threshold, head, scored["validation"] if len(split.test) and scored else None)
    if len(split.test):
        if len(split.validation):
            both = np.sort(np.concatenate([split.train, split.validation]))
            known = np.isin(bench.labels[both], scored["validation"].classes)
            trained = both[known]
            head = bench.refit(head, trained)
        scored["test"] = bench.score(head, trained, split.test)
    return head, {role: _with_threshold(answers, tuned) for role, answers in scored.items()}, tuned


def _cross_validate(
    bench: Bench, split: Split, threshold: float | str | None
) -> tuple[Any, Scored, float | None]:
    answers = bench.cross_validate(split)
    head = bench.fit(split.train)
    tuned = _tuned(threshold, head, None)
    return head, {split.evaluated_on: _with_threshold(answers, tuned)}, tuned


def _with_threshold(answers: Evaluation, threshold: float | None) -> Evaluation:
    return Evaluation(
        answers.classes, answers.y, answers.probabilities, answers.paths, answers.frequencies, threshold
    )


def _tuned(threshold: float | str | None, head: Any, validation: Evaluation | None) -> float | None:
    """Return the threshold to use; one to be tuned is tuned on validation, or on photographs held out of training."""
    if threshold != AUTO:
        return None if threshold is None else float(threshold)
    if validation is not None:
        return best_threshold(validation.true, validation.probabilities, validation.classes)
    held_out = head.held_out_
    if held_out is None:
        return None
    target, probabilities = held_out
    return best_threshold(target, probabilities, [str(label) for label in head.classes_])


def _checked_threshold(threshold: float | str | None, labelled: Labels, split: Split) -> float | str | None:
    if threshold is None:
        return None
    classes = sorted(set(labelled.labels[split.train]))
    if len(classes) != 2:
        raise UsageError(f"--threshold is for two classes; there are {len(classes)}")
    if threshold == AUTO:
        return threshold
    try:
        value = float(threshold)
    except ValueError:
        raise UsageError(f"--threshold must be auto or a number between 0 and 1, not {threshold!r}") from None
    if not 0 < value < 1:
        raise UsageError(f"--threshold must lie between 0 and 1, not at {value:g}")
    return value


def _notes(
    labelled: Labels,
    split: Split,
    groups: np.ndarray | None,
    near: NearDuplicates,
    evaluation: Evaluation,
    features: FeatureCache,
) -> list[str]:
    notes = []
    if len(labelled.unlabelled):
        first = features.paths[labelled.unlabelled[0]]
        notes.append(
            f"{len(labelled.unlabelled)} photographs have no label and are left out of the fit (still"
            f" searchable), such as"
            f" {first}"
        )
    if labelled.unknown:
        notes.append(
            f"{len(labelled.unknown)} labelled paths are no photographs of the cache, such as {labelled.unknown[0]}"
        )
    if near.pairs:
        scored, trained, cosine = near.pairs[0]
        notes.append(
            f"{len(near.pairs)} of {near.checked} scored photographs look nearly like one trained on (cosine ≥"
            f" {splits.NEAR_DUPLICATE}), which flatters the accuracy: {features.paths[scored]} and"
            f" {features.paths[trained]}"
            f" ({cosine:.3f})"
        )
    if near.checked < near.scored:
        notes.append(
            f"only {near.checked} of {near.scored} scored photographs were compared with those trained on"
        )
    if groups is not None and split.fold is None:
        both = splits.straddling(groups, split.train.tolist(), split.scored.tolist())
        if both:
            notes.append(
                f"{len(both)} groups lie in the folders of both sides of the split, such as {both[0]}"
            )
    unknown = sorted(set(evaluation.y[evaluation.true < 0]))
    if unknown:
        notes.append(f"scored but never trained on, so always wrong: {', '.join(unknown)}")
    if evaluation.is_vague:
        low, high = evaluation.interval
        notes.append(
            f"{len(evaluation)} photographs are too few to say how good this is: the accuracy lies between"
            f" {low:.0%} and"
            f" {high:.0%}; --cv 5 scores every photograph"
        )
    return notes


def learning_curve(head: Any) -> list[dict[str, float | int | None]] | None:
    """Return loss and accuracy of every epoch of a dense head, or None for another one."""
    history = getattr(head, "history_", None)
    if history is None:
        return None
    names = ("loss", "accuracy", "validation_loss", "validation_accuracy")
    return [
        {"epoch": epoch + 1, **{name: _plain(value) for name, value in zip(names, row, strict=True)}}
        for epoch, row in enumerate(history)
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return list(value) if isinstance(value, tuple) else value


def _versions() -> dict[str, str]:
    import scipy

    return {
        "embed": __version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }
