"""How a network is tuned, and what is told meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from embed.errors import UsageError

EPOCHS, PATIENCE, BATCH_SIZE = 12, 5, 32
LEARNING_RATE = 3e-4  # the highest of Adam, after the warm-up
WEIGHT_DECAY = 0.05  # decoupled, of kernels
LABEL_SMOOTHING = 0.1  # few photographs are learned by heart otherwise


@dataclass(frozen=True, kw_only=True)
class TuneOptions:
    """How to tune.

    Parameters
    ----------
    cut : str, optional
        The layer above which is trained; by default that with about a quarter of the work above it.
    views : int
        Views of each photograph, of which each epoch takes one: the plain one and ``views - 1`` augmented.
    epochs, patience : int
        Passes over the photographs, at most; those without a lower loss on held-out photographs after which it stops.
    learning_rate : float
        The highest.
    batch_size : int
        Photographs in a step.
    labels : str
        The rule that labels photographs.
    group : str, optional
        As of `embed.learn.FitOptions`.
    seed : int
        Of everything that is drawn.
    keep : bool
        Whether the kept outputs stay.

    Raises
    ------
    UsageError
        One of them has a value that cannot work.
    """

    cut: str | None = None
    views: int = 1
    epochs: int = EPOCHS
    patience: int = PATIENCE
    learning_rate: float = LEARNING_RATE
    batch_size: int = BATCH_SIZE
    labels: str = "folder"
    group: str | None = None
    seed: int = 0
    keep: bool = False

    def __post_init__(self) -> None:
        for name in ("views", "epochs", "patience", "batch_size"):
            if getattr(self, name) < 1:
                raise UsageError(f"must be at least 1, not {getattr(self, name)}", name)
        if not 0 < self.learning_rate < 1:
            raise UsageError(f"must lie between 0 and 1, not at {self.learning_rate:g}", "learning_rate")

    def of_training(self) -> dict[str, Any]:
        """Return those that change the weights, as JSON knows them."""
        names = ("views", "epochs", "patience", "learning_rate", "batch_size", "seed")
        own = {name: getattr(self, name) for name in names}
        return {**own, "weight_decay": WEIGHT_DECAY, "label_smoothing": LABEL_SMOOTHING}


class Step(NamedTuple):
    """How far the training is.

    Parameters
    ----------
    epoch, epochs : int
        The pass over the photographs that is made, from 1, and how many there are at most.
    step, steps : int
        Batches of it that are done, and how many there are.
    loss, accuracy : float
        On the photographs of this pass so far.
    validation_loss, validation_accuracy : float or None
        On held-out photographs after the pass before.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None


@dataclass(frozen=True)
class Told:
    """Who is told what is done.

    Parameters
    ----------
    extracting : callable
        Takes an `embed.extract.Progress`.
    training : callable
        Takes a `Step`.
    stage : callable
        Takes what is done, how many of it are, and of how many.
    notice : callable
        Takes a sentence that is to be read.
    """

    extracting: Callable[[Any], None] = lambda _: None
    training: Callable[[Step], None] = lambda _: None
    stage: Callable[[str, int, int], None] = lambda what, done, total: None
    notice: Callable[[str], None] = lambda _: None
