"""What a model says of photographs, in the cache or not."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embed import sources
from embed.cache import FeatureCache
from embed.errors import UsageError
from embed.extract import Embedded, RunOptions, embed_files
from embed.learn.evaluation import decide
from embed.learn.models import Model

CHUNK = 256  # photographs judged at a time


@dataclass(frozen=True)
class Prediction:
    """What a model says of one photograph, or why it says nothing.

    Attributes:
        file: the photograph.
        label: the class said, or None where there is a problem.
        probability: of that class.
        probabilities: of every class, in the order of the model's classes.
        problem: why the photograph cannot be read, or None.
    """

    file: Path
    label: str | None = None
    probability: float | None = None
    probabilities: tuple[float, ...] = ()
    problem: str | None = None


def predict_files(
    files: Iterable[Path],
    features: FeatureCache,
    model: Model,
    run: RunOptions | None = None,
    *,
    views: bool = False,
) -> Iterator[Prediction]:
    """Yield what the model says of each photograph, in order; a folder stands for the photographs below it.

    A photograph whose content is in the feature set costs no forward pass.

    Args:
        files: photographs and folders.
        features: the feature set that the model was fitted on, which says how features are computed.
        model: of `embed.learn.load`.
        run: device and threads.
        views: average the probabilities over all views of the recipe.

    Raises:
        UsageError: views are asked for and the recipe has a single one.
        InputError: a folder holds no image.
        WeightsError: the backbone's weights cannot be had.
    """
    if views and features.recipe.views == 1:
        raise UsageError(
            f"the features of {features.name} have a single view; extract them with --views N and fit again"
        )
    waiting: list[Embedded] = []
    for embedded in embed_files(sources.expand(files), features, run, views=views):
        waiting.append(embedded)
        if len(waiting) == CHUNK:
            yield from _judge(waiting, model)
            waiting = []
    yield from _judge(waiting, model)


def _judge(waiting: list[Embedded], model: Model) -> Iterator[Prediction]:
    rows = [embedded.features for embedded in waiting if embedded.features is not None]
    answers: Iterator[np.ndarray] = iter(())
    if rows:
        of_all_views = model.predict_proba(np.concatenate(rows))
        ends = np.cumsum([len(row) for row in rows])
        answers = iter([part.mean(axis=0) for part in np.split(of_all_views, ends[:-1])])
    for embedded in waiting:
        if embedded.features is None:
            yield Prediction(embedded.file, problem=embedded.problem)
            continue
        probabilities = next(answers)
        said = int(decide(probabilities[None], model.threshold)[0])
        yield Prediction(
            embedded.file, model.classes[said], float(probabilities[said]), tuple(probabilities.tolist())
        )
