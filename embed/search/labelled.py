"""The labels of a feature set, without an object for each of its paths where folders are the labels."""

from dataclasses import replace

from embed import labels
from embed.cache import FeatureCache


def labels_of(features: FeatureCache, rule: str = "folder") -> labels.Labels:
    """Return the label and the split of every photograph.

    What a folder means follows from the folders alone, so that one photograph of each stands for all in it.

    Parameters
    ----------
    features : FeatureCache
    rule : str
        As in `embed.labels.assign`, which says what is raised.
    """
    if rule != "folder":
        return labels.of(features, rule)
    firsts, run_of = features.folders()
    paths = [features.path(row) for row in firsts.tolist()]
    if not labels.follows_from_folders(paths):
        return labels.of(features, rule)
    of_runs = labels.assign(paths, rule, features.root, places=features.places)
    assert of_runs.folds is not None and of_runs.copies is not None
    return replace(
        of_runs,
        labels=of_runs.labels[run_of],
        splits=of_runs.splits[run_of],
        folds=of_runs.folds[run_of],
        copies=of_runs.copies[run_of],
    )
