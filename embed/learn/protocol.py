"""Fitting a classifier on a feature set, and the honest number.

- The strength of a head is chosen by cross-validation within the training part (a dense head stops by the validation part
  where there is one, otherwise by a share of the training part).
- With validation and test: the threshold is tuned on validation; then the head is fitted on both with its strength as
  chosen, and looks at test once, for the number that is printed.
- With one of them: it is what the number is about, and nothing is chosen on it; a threshold is tuned on photographs held
  out of training.
- With cross-validation: every fold is scored by a head that chose its strength without it; the model that is kept is fitted
  on all folds.
"""

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from embed import __version__, labels
from embed.cache import FeatureCache
from embed.errors import ModelError, UsageError
from embed.labels import Labels
from embed.learn import groups as together
from embed.learn import heads, installed, models, reference, splits
from embed.learn.choice import silent
from embed.learn.evaluation import Evaluation, best_threshold
from embed.learn.model import Model
from embed.learn.notes import notes as notes_on
from embed.learn.selection import FittedHead
from embed.learn.splits import NearDuplicates, Split
from embed.learn.trainer import FitOptions, Progress, Trainer

AUTO = "auto"  # a threshold to be tuned


@dataclass(frozen=True)
class Fitted:
    """A fitted model, and what is to be told about it.

    Attributes
    ----------
    model : Model
        As it was saved.
    evaluation : Evaluation
        The answers that the printed accuracy is about.
    validation : Evaluation, optional
        The answers on validation where there is a test part as well.
    labels : Labels
        Label and split of every photograph of the feature set.
    split : Split
        The roles.
    near_duplicates : NearDuplicates
        Photographs scored that are nearly one trained on.
    notes : list of str
        Sentences that a user should read before believing the number.
    seconds : float
        That fitting took.
    """

    model: Model
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
            "n_fitted": document["n_fitted"],
            "n_validation": document["n_validation"],
            "n_test": document["n_test"],
            "n_unlabelled": document["n_unlabelled"],
            **metrics,
            "evaluated_on": document["evaluated_on"],
            "split": document["split"],
            "groups": document["groups"],
            "chosen": document["chosen"],
            "near_duplicates": document["near_duplicates"],
            "notes": self.notes,
            "seconds": round(self.seconds, 3),
        }


def fit(features: FeatureCache, options: FitOptions | None = None, progress: Progress = silent) -> Fitted:
    """Fit a classifier on a feature set, score it on photographs that it has not seen, and save it.

    Parameters
    ----------
    features : FeatureCache
    options : FitOptions, optional
    progress : callable, optional
        Takes what is done, how many of it are, and of how many.

    Raises
    ------
    LabelError
        There are no labels, or too few.
    UsageError
        An option cannot work.
    CacheDamagedError, CacheWriteError
        The features cannot be read or the model not written.
    """
    options = options or FitOptions()
    started = time.perf_counter()
    used, described = _resolved(options)
    name = models.check_name(options.name or described["classifier"].rpartition(".")[2])
    judged = judge(features, used, progress)
    labelled, groups, split, trainer = judged.labelled, judged.groups, judged.split, judged.trainer
    head, scored, tuned, fitted_on = judged.outcome
    evaluation = judged.evaluation
    near = splits.near_duplicates_across(features, split)
    notes = notes_on(labelled, split, groups, near, evaluation, features, trainer.tuned_on)
    document = {
        **described,
        "classes": list(evaluation.classes),
        "labels": labelled.rule,
        "labels_version": labelled.version,
        "threshold": tuned,
        "threshold_asked": options.threshold,
        "balanced": options.balanced,
        "seed": options.seed,
        "group": options.group,
        "groups": together.by_group(evaluation, groups, features),
        "cv": options.cv,
        "chosen": head.chosen,
        "search": head.search,
        "learning_curve": head.curve,
        "features": features.name,
        "recipe_hash": features.recipe.hash,
        "fingerprint": features.fingerprint,
        "dimension": features.dimension,
        "n_train": len(split.train),
        "n_fitted": len(fitted_on),
        "n_validation": len(split.validation),
        "n_test": len(split.test),
        "n_unlabelled": len(labelled.unlabelled),
        "frequencies": [int(n) for n in evaluation.frequencies],
        "split": split.description,
        "evaluated_on": split.evaluated_on,
        "metrics": evaluation.summary(),
        "near_duplicates": len(near.pairs),
        "notes": notes,
        "seconds": time.perf_counter() - started,
        "versions": _versions(),
    }
    sample = reference.draw(
        features.rows, fitted_on, trainer.keys[fitted_on], features.dimension, options.seed
    )
    model = models.save(features, name, head, document, scored, sample, options.trust)
    validation = scored.get("validation") if len(split.test) and split.fold is None else None
    return Fitted(model, evaluation, validation, labelled, split, near, notes, time.perf_counter() - started)


def load(
    features: FeatureCache,
    name: str | None = None,
    *,
    trust: Sequence[str] = (),
    notify: Callable[[str], None] = warnings.warn,
) -> Model:
    """Return the model of that name, or the one fitted last, fitted again where another release had fitted it.

    Parameters
    ----------
    features : FeatureCache
    name : str, optional
    trust : sequence of str
        Types that its file may hold beside the known ones.
    notify : callable
        Takes the sentence that tells that it was fitted again.

    Raises
    ------
    ModelError
        There is none, it is damaged, or it was fitted on features of another recipe.
    """
    model = models.stored(features, name, trust)
    if not model.outdated:
        return model
    asked = model.document
    if asked["options"] is None:
        raise ModelError(
            f"the model {model.name} {model.outdated} and has to be fitted again: run `embed fit`"
        )
    try:
        options = _asked(model, trust)
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"the model {model.name} {model.outdated}, and its options say what cannot be ({error}); run `embed fit` again"
        ) from error
    notify(
        f"The model {model.name} {model.outdated}: it is fitted again, with the options that it was fitted with."
    )
    return fit(features, options).model


def _asked(model: Model, trust: Sequence[str]) -> FitOptions:
    """Return the options that a model was fitted with."""
    asked = model.document
    return FitOptions(
        classifier=asked["classifier"],
        labels=model.labels_rule,
        labels_version=model.labels_version,
        cv=asked.get("cv"),
        group=asked.get("group"),
        balanced=bool(asked.get("balanced")),
        threshold=asked.get("threshold_asked"),
        seed=asked.get("seed", 0),
        name=model.name,
        head={key: tuple(value) if key == "hidden" else value for key, value in asked["options"].items()},
        trust=tuple(trust),
    )


def check_classifier(classifier: Any, parameters: dict[str, Any]) -> Any:
    """Return a name of `heads.HEADS`, or the classifier that is meant.

    Raises
    ------
    UsageError
        There is no such classifier, or it has no such parameter.
    """
    if isinstance(classifier, str) and "." in classifier:
        return installed.classifier(classifier, parameters)
    if isinstance(classifier, str):
        heads.check(classifier, parameters)
        return classifier
    if parameters:
        raise UsageError(
            f"a classifier that is given as an object has its parameters: {', '.join(parameters)}"
        )
    return installed.check(classifier)


def _resolved(options: FitOptions) -> tuple[FitOptions, dict[str, Any]]:
    """Return the options with the classifier that is meant, and what `model.json` says of it."""
    classifier = check_classifier(options.classifier, options.head)
    if isinstance(classifier, str):
        own = {key: list(value) if isinstance(value, tuple) else value for key, value in options.head.items()}
        return options, {"classifier": classifier, "options": own}
    place = options.classifier
    if not isinstance(place, str):
        place = f"{type(classifier).__module__}.{type(classifier).__qualname__}"
    parameters = classifier.get_params(deep=False)
    plain = all(isinstance(value, (str, int, float, bool, type(None))) for value in parameters.values())
    used = replace(options, classifier=classifier, head={})
    return used, {"classifier": place, "options": parameters if plain else None}


@dataclass(frozen=True)
class Judged:
    """A head that was fitted and scored, and on what.

    Attributes
    ----------
    labelled : Labels
    groups : ndarray of shape (n,), optional
        What keeps photographs on one side.
    split : Split
        The roles; nothing that the network was tuned on is scored.
    trainer : Trainer
    outcome : tuple
        The head, the answers by role, the threshold, and the photographs that the head was fitted on.
    """

    labelled: Labels
    groups: np.ndarray | None
    split: Split
    trainer: Trainer
    outcome: "Outcome"

    @property
    def evaluation(self) -> Evaluation:
        """The answers that the number is about."""
        return self.outcome[1][self.split.evaluated_on]


def judge(features: FeatureCache, options: FitOptions, progress: Progress = silent) -> Judged:
    """Fit a classifier and score it on photographs that neither it nor the network has seen; nothing is saved.

    Parameters and errors are those of `fit`; the classifier of `options` is as `check_classifier` returns it.
    """
    labelled = labels.of(features, options.labels, options.labels_version)
    groups = together.of(features, labelled, options.group, progress)
    split = splits.divide(labelled, features.sha256, seed=options.seed, cv=options.cv, groups=groups)
    trainer = Trainer(features, labelled, options, progress)
    split = splits.unseen(split, trainer.tuned_on)
    threshold = _checked_threshold(options.threshold, labelled, split)
    parts = _cross_validate if split.fold is not None else _hold_out
    return Judged(labelled, groups, split, trainer, parts(trainer, split, threshold))


Scored = dict[str, Evaluation]
Outcome = tuple[
    FittedHead, Scored, float | None, np.ndarray
]  # the last: the photographs that the head was fitted on


def _hold_out(trainer: Trainer, split: Split, threshold: float | str | None) -> Outcome:
    scored: Scored = {}
    trained = split.train
    if len(split.test) and len(split.validation):
        both = np.sort(np.concatenate([split.train, split.validation]))
        trained = both[np.isin(trainer.labels[both], np.unique(trainer.labels[split.train]))]
        first, head = trainer.fit_twice(split.train, split.validation, trained)
    else:
        first = head = trainer.fit(split.train)
    if len(split.validation):
        scored["validation"] = trainer.score(first, split.train, split.validation)
    tuned = _tuned(
        threshold, trainer, split.train, scored["validation"] if len(split.test) and scored else None
    )
    if len(split.test):
        scored["test"] = trainer.score(head, trained, split.test)
    answers = {role: replace(found, threshold=tuned) for role, found in scored.items()}
    return head, answers, tuned, trained


def _cross_validate(trainer: Trainer, split: Split, threshold: float | str | None) -> Outcome:
    answers = trainer.cross_validate(split.train, split.fold)
    head = trainer.fit(split.train)
    tuned = _tuned(threshold, trainer, split.train, None)
    return head, {split.evaluated_on: replace(answers, threshold=tuned)}, tuned, split.train


def _tuned(
    threshold: float | str | None, trainer: Trainer, train: np.ndarray, validation: Evaluation | None
) -> float | None:
    """Return the threshold to use; one to be tuned is tuned on validation, or on photographs held out of training."""
    if threshold != AUTO:
        return None if threshold is None else float(threshold)
    answers = validation if validation is not None else trainer.out_of_fold(train)
    return None if answers is None else best_threshold(answers)


def _checked_threshold(threshold: float | str | None, labelled: Labels, split: Split) -> float | str | None:
    if threshold is None:
        return None
    classes = sorted(set(labelled.labels[split.train]))
    if len(classes) != 2:
        raise UsageError(f"is for two classes; there are {len(classes)}", "threshold")
    if threshold == AUTO:
        return threshold
    try:
        value = float(threshold)
    except (TypeError, ValueError):
        raise UsageError(
            f"must be auto or a number between 0 and 1, not {threshold!r}", "threshold"
        ) from None
    if not 0 < value < 1:
        raise UsageError(f"must lie between 0 and 1, not at {value:g}", "threshold")
    return value


def _versions() -> dict[str, str]:
    import scipy
    import sklearn
    import skops

    return {
        "embed": __version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
        "skops": skops.__version__,
    }
