"""Everything that a report shows, gathered in one place."""

from dataclasses import dataclass, field
from pathlib import Path

from embed import labels, learn
from embed.cache import FeatureCache
from embed.errors import EmbedError, ModelError
from embed.explain import ClassMap, Explainer
from embed.labels import Labels
from embed.learn import Model
from embed.learn.evaluation import Evaluation
from embed.learn.splits import NearDuplicates, divide, near_duplicates_across
from embed.report.sections import top_loss_positions


@dataclass(frozen=True)
class Material:
    """What a report is about.

    Attributes:
        features: the feature set.
        labels: of its photographs.
        model: the model reported on; None where none has been fitted.
        evaluation: the answers that the model is scored by; None without a model.
        near: photographs on both sides of the split that are nearly one; None without a model.
        maps: path → maps of the class said and of the true class, for the top losses.
        no_maps: why there are none, or "".
    """

    features: FeatureCache
    labels: Labels
    model: Model | None = None
    evaluation: Evaluation | None = None
    near: NearDuplicates | None = None
    maps: dict[str, tuple[ClassMap, ...]] = field(default_factory=dict)
    no_maps: str = ""


def gather(
    features: FeatureCache, model_name: str | None = None, rule: str = "folder", *, maps: bool = True
) -> Material:
    """Gather what a report shows.

    Args:
        features: the feature set.
        model_name: the model; by default the one fitted last, and none where there is none.
        rule: what labels the photographs where there is no model, which otherwise knows.
        maps: whether to make class-activation maps of the top losses; it takes the backbone. What keeps them from being made
            is told in the report.

    Raises:
        ModelError: the model that was named is missing, or any is damaged.
        LabelError, InputError: the labels cannot be had.
    """
    if model_name is None and not learn.all_models(features):
        return Material(features, labels.assign(features.paths.tolist(), rule, features.root))
    model = learn.load(features, model_name)
    labelled = labels.assign(features.paths.tolist(), model.labels_rule, features.root)
    evaluation = model.evaluation()
    found: dict[str, tuple[ClassMap, ...]] = {}
    problem = ""
    if maps:
        try:
            found = _maps(features, model, evaluation)
        except ModelError:
            raise
        except EmbedError as error:
            problem = str(error)
    near = _near_duplicates(features, model, labelled)
    return Material(features, labelled, model, evaluation, near, found, problem)


def _near_duplicates(features: FeatureCache, model: Model, labelled: Labels) -> NearDuplicates:
    """Find them in the split that the model was fitted by, which is drawn again."""
    asked = model.document
    groups = labels.groups(features.paths.tolist(), asked["group"]) if asked["group"] else None
    split = divide(labelled, features.sha256, seed=asked["seed"], cv=asked["cv"], groups=groups)
    return near_duplicates_across(features.rows, split)


def _maps(features: FeatureCache, model: Model, evaluation: Evaluation) -> dict[str, tuple[ClassMap, ...]]:
    wanted: list[tuple[Path, list[str | None]]] = []
    paths = []
    for i in top_loss_positions(evaluation):
        if evaluation.true[i] >= 0:
            paths.append(str(evaluation.paths[i]))
            said = evaluation.classes[evaluation.predicted[i]]
            wanted.append((features.root / paths[-1], [said, str(evaluation.y[i])]))
    explained = Explainer(features, model.head).explain(wanted)
    return {path: one.maps for path, one in zip(paths, explained, strict=True) if one.maps}
