"""What a model predicts for photographs, in the cache or not."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embed import images, sources
from embed.cache import FeatureCache
from embed.errors import UsageError
from embed.extract import Embedded, RunOptions, embed_files
from embed.learn.evaluation import decide
from embed.learn.models import Model

CHUNK = 256  # photographs judged at a time


@dataclass(frozen=True)
class Prediction:
    """What a model predicts for one photograph, or why it predicts nothing.

    Attributes
    ----------
    file : Path
        The photograph.
    label : str, optional
        The class predicted; None where there is a problem.
    probability : float, optional
        Of that class.
    probabilities : tuple of float
        Of every class, in the order of the model's classes.
    problem : str, optional
        Why the photograph cannot be read.
    """

    file: Path
    label: str | None = None
    probability: float | None = None
    probabilities: tuple[float, ...] = ()
    problem: str | None = None


def predict_files(
    files: Iterable[Path] | images.Given,
    features: FeatureCache,
    model: Model,
    run: RunOptions | None = None,
    *,
    views: bool = False,
) -> Iterator[Prediction]:
    """Yield what the model predicts for each photograph, in order; a folder stands for the photographs below it.

    A photograph whose content is in the feature set costs no forward pass.

    Parameters
    ----------
    files : iterable of Path, or Given
        Photographs and folders.
    features : FeatureCache
        The feature set that the model was fitted on, which says how features are computed.
    model : Model
    run : RunOptions, optional
        Device and threads.
    views : bool
        Average the probabilities over all views of the recipe.

    Raises
    ------
    UsageError
        Views are asked for and the recipe has a single one.
    InputError
        A folder holds no image.
    WeightsError
        The backbone's weights cannot be had.
    """
    if views and features.recipe.views == 1:
        raise UsageError(
            f"the features of {features.name} have a single view; extract them with several views and fit again"
        )
    waiting: list[Embedded] = []
    found = files if isinstance(files, images.Given) else sources.expand(files)
    for embedded in embed_files(found, features, run, views=views):
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
        predicted = int(decide(probabilities[None], model.threshold)[0])
        yield Prediction(
            embedded.file,
            model.classes[predicted],
            float(probabilities[predicted]),
            tuple(probabilities.tolist()),
        )
