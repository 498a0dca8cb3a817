"""All that there is to say about a feature set and the model fitted on it, computed once, for a page or a program."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from embed import labels as label_rules
from embed import sources
from embed.cache import read_tuned, tuned_on
from embed.errors import EmbedError, LabelError, ModelError

if TYPE_CHECKING:
    import pandas as pd

    from embed.cache import FeatureCache
    from embed.explain import ClassMap
    from embed.labels import Labels
    from embed.learn import Model
    from embed.learn.evaluation import Evaluation
    from embed.learn.splits import Split
    from embed.search import Clusters, DuplicateGroup, Pair, Progress

EXPLAINED = 24  # photographs with the greatest losses whose maps are made
MAPPING = "Making class-activation maps"
CHANGED = (
    "The photographs, their features or their labels have changed since this model was fitted. Its numbers are those of"
    " the photographs as they were then; near duplicates across the split and class-activation maps are left out. Run"
    " embed fit for the photographs of today."
)


@dataclass(frozen=True)
class Scores:
    """How a model did on photographs that it was not fitted on.

    Attributes
    ----------
    model : str
        Its name.
    document : dict
        What was fitted on what, as ``model.json`` has it.
    summary : dict
        The numbers that describe the whole, None where one is not defined: n, accuracy, accuracy_interval, ...
    classes : DataFrame
        One row per class: class, n, recall, recall_low, recall_high, precision, f1, predicted.
    confusion : DataFrame
        Photographs by true class (index) and predicted class (columns); classes that were not trained on may be rows at
        the end.
    confused : DataFrame
        The pairs of classes confused most often: true, predicted, count, share of the true class.
    predictions : DataFrame
        One row per photograph, the greatest loss first, of equal ones the wrong ones: path, label, predicted, probability, label_probability (0 for
        a label that was not trained on), loss, and ``p(CLASS)`` for every class.
    calibration : DataFrame
        One row per bin of confidence: low, high, n, confidence, accuracy, and its interval accuracy_low, accuracy_high.
    thresholds : DataFrame or None
        For two classes, what each threshold would give.
    near_duplicates : DataFrame
        Photographs that are scored and nearly equal one that is trained on, the most similar first: scored, scored_label,
        trained, trained_label, similarity.
    compared : int
        Scored photographs that were compared with those trained on.
    changed : str
        Why the numbers are not those of the photographs of today; "" where they are.
    maps : dict
        Path → maps of the predicted class and of the true class.
    no_maps : str
        Why there are none, or "".
    """

    model: str
    document: dict[str, Any] = field(repr=False)
    summary: dict[str, Any]
    classes: "pd.DataFrame" = field(repr=False)
    confusion: "pd.DataFrame" = field(repr=False)
    confused: "pd.DataFrame" = field(repr=False)
    predictions: "pd.DataFrame" = field(repr=False)
    calibration: "pd.DataFrame" = field(repr=False)
    thresholds: "pd.DataFrame | None" = field(repr=False)
    near_duplicates: "pd.DataFrame" = field(repr=False)
    compared: int = 0
    changed: str = ""
    maps: "dict[str, tuple[ClassMap, ...]]" = field(default_factory=dict, repr=False)
    no_maps: str = ""


@dataclass(frozen=True)
class Review:
    """What there is to say about a feature set.

    Attributes
    ----------
    features : FeatureCache
    labels : Labels
        Of its photographs, by the rule of the model where there is one.
    scores : Scores or None
        Of the model; None where none has been fitted.
    clusters : Clusters or None
        Groups of photographs that are alike, where there is no model.
    duplicates : list of DuplicateGroup
        Photographs that are there more than once, where there is no model.
    closest : Pair or None
        The two photographs that look most alike, where there is no model and nothing more than once.
    notes : tuple of str
        What could be read otherwise, and photographs in several classes or splits, where there is no model.
    tuned : dict or None
        How the weights of the network were tuned; None where they were not.
    """

    features: "FeatureCache"
    labels: "Labels" = field(repr=False)
    scores: Scores | None = None
    clusters: "Clusters | None" = field(default=None, repr=False)
    duplicates: "list[DuplicateGroup]" = field(default_factory=list, repr=False)
    closest: "Pair | None" = None
    notes: tuple[str, ...] = ()
    tuned: dict[str, Any] | None = None


def review(
    features: "FeatureCache",
    model: str | None = None,
    *,
    labels: str = "folder",
    explained: int = EXPLAINED,
    notify: Callable[[str], None] = warnings.warn,
    progress: "Progress | None" = None,
) -> Review:
    """Gather what there is to say about a feature set and a model.

    Only what belongs together is compared: where the photographs, their features or their labels have changed since the
    model was fitted, its numbers are given as they were stored, and nothing of today beside them.

    Parameters
    ----------
    features : FeatureCache
    model : str, optional
        Its name; by default the one fitted last, and none where there is none.
    labels : str
        The rule that labels the photographs where there is no model, which otherwise knows.
    explained : int
        Photographs with the greatest losses whose class-activation maps are made, which takes the backbone. What keeps
        them from being made is told in the result.
    notify : callable
        Takes the sentence that tells that the model had to be fitted again.
    progress : callable, optional
        Is told what is done, and how many photographs of how many.

    Returns
    -------
    Review

    Raises
    ------
    ModelError
        The model that was named is missing, or the one to be used is damaged.
    LabelError, InputError
        The labels cannot be had.
    """
    from embed import learn, search

    progress = progress or search.silent
    if model is None and not learn.all_models(features):
        return _unfitted(features, labels, progress)
    fitted = learn.load(features, model, notify=notify)
    labelled = label_rules.of(features, fitted.labels_rule, fitted.labels_version)
    scores = _scores(features, fitted, labelled, explained, progress)
    return Review(features, labelled, scores, tuned=read_tuned(features))


def _unfitted(features: "FeatureCache", labels: str, progress: "Progress") -> Review:
    from embed import search

    labelled = label_rules.of(features, labels)
    if not len(features):
        return Review(features, labelled)
    clusters = search.clusters(features, progress=progress)
    duplicates = search.duplicates(features, label_rule=labels, progress=progress)
    closest = None if duplicates else search.closest_pair(features, label_rule=labels, progress=progress)
    return Review(
        features,
        labelled,
        clusters=clusters,
        duplicates=duplicates,
        closest=closest,
        notes=(*labelled.notes, *label_rules.conflicts(labelled, features)),
    )


def _scores(
    features: "FeatureCache", fitted: "Model", labelled: "Labels", explained: int, progress: "Progress"
) -> Scores:
    progress("Looking through what the classifier was judged on", 0, 0)
    evaluation = fitted.evaluation()
    predictions = _predictions(evaluation)
    split = _split_scored(features, fitted, labelled, evaluation)
    near, compared = _near_duplicates(features, labelled, split)
    maps: dict[str, tuple[ClassMap, ...]] = {}
    no_maps = ""
    if split is not None and explained:
        try:
            maps = _maps(features, fitted, predictions[:explained], progress)
        except ModelError:
            raise
        except EmbedError as error:
            no_maps = str(error)
    return Scores(
        model=fitted.name,
        document=fitted.document,
        summary=evaluation.summary(),
        classes=evaluation.per_class(),
        confusion=evaluation.confusion(),
        confused=evaluation.most_confused(),
        predictions=predictions,
        calibration=_calibration(evaluation),
        thresholds=evaluation.threshold_curve() if len(evaluation.classes) == 2 else None,
        near_duplicates=near,
        compared=compared,
        changed="" if split is not None else CHANGED,
        maps=maps,
        no_maps=no_maps,
    )


def _predictions(evaluation: "Evaluation") -> "pd.DataFrame":
    table = evaluation.predictions()
    known = evaluation.true >= 0
    of_label = evaluation.probabilities[np.arange(len(evaluation)), evaluation.true]
    table.insert(4, "label_probability", np.where(known, of_label, 0.0))
    right = (table["predicted"] == table["label"]).to_numpy()
    return table.iloc[np.lexsort((right, -evaluation.losses))].reset_index(drop=True)


def _calibration(evaluation: "Evaluation") -> "pd.DataFrame":
    from embed.learn.evaluation import wilson_interval

    table = evaluation.calibration()
    right = (table["accuracy"] * table["n"]).round().astype(int)
    intervals = [wilson_interval(int(k), int(n)) for k, n in zip(right, table["n"], strict=True)]
    return table.assign(
        accuracy_low=[low for low, _ in intervals], accuracy_high=[high for _, high in intervals]
    )


def _split_scored(
    features: "FeatureCache", fitted: "Model", labelled: "Labels", evaluation: "Evaluation"
) -> "Split | None":
    """Draw the split that a model was fitted by again; None where it is not that of the model any more."""
    from embed.learn.splits import divide, unseen

    document = fitted.document
    if document["fingerprint"] != features.fingerprint:
        return None
    paths = features.paths.tolist()
    groups = label_rules.groups(labelled, paths, document["group"])
    try:
        split = divide(labelled, features.sha256, seed=document["seed"], cv=document["cv"], groups=groups)
        split = unseen(split, tuned_on(features))
    except LabelError:  # too few labels are left
        return None
    today = dict(zip(features.paths[split.scored], labelled.labels[split.scored], strict=True))
    same = today == dict(zip(evaluation.paths, evaluation.y, strict=True))
    return split if same and len(split.train) == document["n_train"] else None


def _near_duplicates(
    features: "FeatureCache", labelled: "Labels", split: "Split | None"
) -> "tuple[pd.DataFrame, int]":
    import pandas as pd

    from embed.learn.splits import near_duplicates_across

    near = near_duplicates_across(features, split) if split is not None else None
    rows = [
        (
            features.paths[scored],
            labelled.labels[scored],
            features.paths[trained],
            labelled.labels[trained],
            cosine,
        )
        for scored, trained, cosine in (near.pairs if near else ())
    ]
    columns = ["scored", "scored_label", "trained", "trained_label", "similarity"]
    return pd.DataFrame(rows, columns=columns, dtype=object), near.checked if near else 0


def _maps(
    features: "FeatureCache", fitted: "Model", worst: "pd.DataFrame", progress: "Progress"
) -> "dict[str, tuple[ClassMap, ...]]":
    from embed.explain import Explainer

    file_of = sources.locator(features.root)
    known = worst[worst["label"].isin(fitted.classes)]
    asked = [
        (file_of(row.path), [row.predicted, row.label])
        for row in known[["path", "predicted", "label"]].itertuples()
    ]
    explained = Explainer(features, fitted.head).explain(asked)
    maps = {}
    progress(MAPPING, 0, len(asked))
    for done, (path, one) in enumerate(zip(known["path"], explained, strict=True), 1):
        progress(MAPPING, done, len(asked))
        if one.maps:
            maps[path] = one.maps
    return maps
