"""What a model predicts for photographs, in the cache or not."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from embed import images, sources
from embed.cache import FeatureCache
from embed.errors import UsageError
from embed.extract import Embedded, RunOptions, embed_files
from embed.learn.evaluation import decide
from embed.learn.model import Model

CHUNK = 256  # photographs judged at a time


@dataclass(frozen=True)
class Prediction:
    """What a model predicts for one photograph, or why it predicts nothing.

    Attributes
    ----------
    file : path, or URL as text
        The photograph.
    label : str, optional
        The class predicted; None where there is a problem, or no class is probable enough.
    probability : float, optional
        Of the class that is predicted, or would be.
    ranked : tuple of (str, float)
        Every class with its probability: the one that is predicted, or would be, and then the most probable first.
    probabilities : tuple of float
        Of every class, in the order of the model's classes.
    similarity : float, optional
        Cosine to the most similar photograph that the model was fitted on; None where the model does not know them.
    unlike : bool, optional
        Whether it is unlike all that the model was fitted on.
    problem : str, optional
        Why the photograph cannot be read.
    """

    file: sources.Address
    label: str | None = None
    probability: float | None = None
    ranked: tuple[tuple[str, float], ...] = field(default=(), repr=False)
    probabilities: tuple[float, ...] = ()
    similarity: float | None = None
    unlike: bool | None = None
    problem: str | None = None

    @property
    def unsure(self) -> bool:
        """Whether no class is probable enough."""
        return self.label is None and self.problem is None


def predict_files(
    files: Iterable[str | Path] | images.Given,
    features: FeatureCache,
    model: Model,
    run: RunOptions | None = None,
    *,
    views: bool = False,
    min_probability: float = 0.0,
    notify: Callable[[str], None] | None = None,
) -> Iterator[Prediction]:
    """Yield what the model predicts for each photograph, in order; a folder stands for the photographs below it.

    A photograph whose content is in the feature set costs no forward pass.

    Parameters
    ----------
    files : iterable of path or URL, or Given
        Photographs, and folders and archives of them.
    features : FeatureCache
        The feature set that the model was fitted on, which says how features are computed.
    model : Model
    run : RunOptions, optional
        Device and threads.
    views : bool
        Average the probabilities over all views of the recipe.
    min_probability : float
        No class is predicted whose probability is below it.
    notify : callable, optional
        Is told, in a sentence, where the backbone has to be prepared, which takes seconds.

    Raises
    ------
    UsageError
        Views are asked for and the recipe has a single one; the probability is none.
    InputError
        A folder holds no image.
    WeightsError
        The backbone's weights cannot be had.
    """
    if views and features.recipe.views == 1:
        raise UsageError(
            f"the features of {features.name} have a single view; extract them with several views and fit again"
        )
    if not 0 <= min_probability <= 1:
        raise UsageError(f"must lie between 0 and 1, not at {min_probability:g}", "min_probability")
    waiting: list[Embedded] = []
    found = files if isinstance(files, images.Given) else sources.expand(files)
    for embedded in embed_files(found, features, run, views=views, notify=notify):
        waiting.append(embedded)
        if len(waiting) == CHUNK:
            yield from judge(waiting, model, min_probability)
            waiting = []
    yield from judge(waiting, model, min_probability)


def judge(waiting: Sequence[Embedded], model: Model, min_probability: float = 0.0) -> Iterator[Prediction]:
    """Yield what the model predicts for photographs whose features are known, in order."""
    rows = [embedded.features for embedded in waiting if embedded.features is not None]
    answers: Iterator[np.ndarray] = iter(())
    similarities: Iterator[float] = iter(())
    if rows:
        of_all_views = model.predict_proba(np.concatenate(rows))
        ends = np.cumsum([len(row) for row in rows])
        answers = iter([part.mean(axis=0) for part in np.split(of_all_views, ends[:-1])])
        if model.reference is not None:
            plain = np.stack([row[0] for row in rows])
            similarities = iter(model.reference.similarity(plain).tolist())
    for embedded in waiting:
        if embedded.features is None:
            yield Prediction(embedded.file, problem=embedded.problem)
            continue
        probabilities = next(answers)
        similarity = next(similarities, None)
        predicted = int(decide(probabilities[None], model.threshold)[0])
        others = [int(i) for i in np.argsort(-probabilities, kind="stable") if i != predicted]
        ranked = [(model.classes[i], float(probabilities[i])) for i in (predicted, *others)]
        label, probability = ranked[0]
        yield Prediction(
            embedded.file,
            label if probability >= min_probability else None,
            probability,
            tuple(ranked),
            tuple(probabilities.tolist()),
            similarity,
            similarity < model.reference.least_similarity
            if model.reference is not None and similarity is not None
            else None,
        )
