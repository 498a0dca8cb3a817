"""What a user should read before believing a number."""

import numpy as np

from embed import labels, search
from embed.cache import FeatureCache
from embed.labels import Labels
from embed.learn import splits
from embed.learn.evaluation import Evaluation
from embed.learn.splits import NearDuplicates, Split


def notes(
    labelled: Labels,
    split: Split,
    groups: np.ndarray | None,
    near: NearDuplicates,
    evaluation: Evaluation,
    features: FeatureCache,
    tuned_on: np.ndarray,
) -> list[str]:
    """Return what to read before a number about a split is believed.

    Parameters
    ----------
    labelled : Labels
    split : Split
    groups : ndarray of shape (n,), optional
        What keeps photographs on one side.
    near : NearDuplicates
    evaluation : Evaluation
    features : FeatureCache
    tuned_on : bool ndarray of shape (n,)
        The photographs whose labels the network has seen.
    """
    notes = [*labelled.notes, *labels.conflicts(labelled, features)]
    if tuned_on[split.train].any():
        notes.append(
            f"the network was tuned on {int(tuned_on[split.train].sum())} of these photographs: none of them is scored, and the"
            " probabilities of a head that is fitted on them are surer than they should be"
        )
    if split.fold is None and labelled.n_folds > 1:
        notes.append("the photographs lie in folds, and a cross-validation over them would score every one")
    if len(labelled.unlabelled):
        count, first = len(labelled.unlabelled), features.paths[labelled.unlabelled[0]]
        notes.append(
            (
                "1 photograph has no label and is"
                if count == 1
                else f"{count} photographs have no label and are"
            )
            + " left out of the fit (still searchable)"
            + (f": {first}" if count == 1 else f", such as {first}")
        )
    notes += search.notes_on_groups(features, labelled, split.scored)
    if near.pairs:
        scored, trained, cosine = near.pairs[0]
        notes.append(
            f"{len(near.pairs)} of {near.checked} scored photographs look nearly like one trained on (cosine ≥"
            f" {near.threshold:.3g}), which flatters the accuracy: {features.paths[scored]} and"
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
    unknown = evaluation.unknown_classes
    if unknown:
        notes.append(
            f"scored but never trained on, so always wrong: {', '.join(unknown)}; figures of probabilities are about the"
            f" other {evaluation.n_known} photographs"
        )
    if evaluation.is_vague:
        low, high = evaluation.interval
        more = "; a cross-validation would score every one" if split.fold is None else ""
        notes.append(
            f"{len(evaluation)} photographs are too few to say how good this is: the accuracy lies between"
            f" {low:.0%} and {high:.0%}{more}"
        )
    return notes
