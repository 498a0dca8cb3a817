"""The upper layers of a network, trained on photographs of one's own."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from embed import extract, tune
from embed.api.functions import DEFAULT_CACHE
from embed.arguments import Positive, Seed, checked
from embed.backbones import Cut, Network
from embed.labels import with_splits, with_where
from embed.tune.options import BATCH_SIZE, EPOCHS, LEARNING_RATE, PATIENCE

if TYPE_CHECKING:
    from embed.extract import Progress


@checked
def list_cuts(backbone: str = "mobilenetv2", size: int | None = None) -> list[Cut]:
    """Return the layers at which a network can be cut, from the pixels up.

    A cut is a layer that every path from the pixels to the features goes through. The weights of the network need not be there.

    Parameters
    ----------
    backbone : str
        Name of the network, one of ``embed.BACKBONES``.
    size : int, optional
        Side of the input in pixels; by default the backbone's.

    Raises
    ------
    UsageError
        There is no such network, or it is a file: those are not trained.

    Examples
    --------
    >>> cuts = embed.list_cuts("mobilenet")  # doctest: +SKIP
    >>> cuts[-4].layer, cuts[-4].shape  # doctest: +SKIP
    ('conv_pw_13', (7, 7, 1024))
    """
    return Network(backbone, size=size).cuts()


@checked
def tune_backbone(
    data: str | Path,
    cache: str | Path = DEFAULT_CACHE,
    *,
    backbone: str = "mobilenetv2",
    cut: str | None = None,
    weights: str | Path | None = None,
    size: int | None = None,
    fit: str = "stretch",
    views: Positive = 1,
    epochs: Positive = EPOCHS,
    patience: Positive = PATIENCE,
    learning_rate: float = LEARNING_RATE,
    batch_size: Positive = BATCH_SIZE,
    labels: str = "folder",
    splits: str | Mapping[str, str | Sequence[str]] | None = None,
    where: str | None = None,
    group: str | None = None,
    random_state: Seed = 0,
    device: str = "auto",
    keep: bool = False,
    progress: "Callable[[Progress], None] | None" = None,
    training: "Callable[[tune.Step], None] | None" = None,
    stage: Callable[[str, int, int], None] | None = None,
    notice: Callable[[str], None] | None = None,
) -> "tune.Tuned":
    """Train the layers of a network above a cut on photographs, and say what that has gained.

    What lies below the cut stays as it is: its outputs are computed once and kept until the training is done. The training itself
    runs on the processor. Interrupted, and called again, it goes on where it was.

    Parameters
    ----------
    data : path
        Folder of photographs with labels.
    cache : path
        Folder of the feature sets.
    backbone : str
        Name of the network, one of ``embed.BACKBONES``.
    cut : str, optional
        A layer of `list_cuts`; by default one with about a quarter of the work above it.
    weights : path, optional
        Keras weights file to begin with instead of ImageNet's.
    size : int, optional
        Side of the input in pixels; by default the backbone's.
    fit : {"stretch", "crop", "pad"}
        How a photograph becomes square.
    views : int
        Views of each photograph, of which each epoch takes one: the plain one and ``views - 1`` augmented.
    epochs, patience : int
        Passes over the photographs, at most; those without a lower loss on held-out photographs after which it stops.
    learning_rate : float
        The highest of Adam, after a warm-up; it then falls along half a cosine.
    batch_size : int
        Photographs in a step.
    labels : str
        Where labels come from; see `open`.
    splits : str or mapping, optional
        Which folders are splits; see `open`.
    where : str, optional
        Only photographs as this condition says; see `Photographs.select`.
    group : str, optional
        Photographs with one value stay on one side; see `Features.fit`.
    random_state : int
        Seed of everything that is drawn.
    device : {"auto", "cpu", "gpu"}
        What computes the outputs and the features.
    keep : bool
        Whether the outputs stay on disk.
    progress, training, stage : callable, optional
        Called with how far an extraction and the training are, and with what else is done, how much of it, and of how much.
    notice : callable, optional
        Called with sentences that are to be read.

    Returns
    -------
    Tuned
        ``weights`` is the file that `extract_features` takes; ``gain`` compares heads on the frozen and on the tuned features.

    Raises
    ------
    UsageError
        The network cannot be tuned, or not there; an argument has a value that cannot work.
    LabelError
        The photographs have no labels, or too few.
    InputError, WeightsError, CacheError
        As of `extract_features`.
    """
    told = tune.Told()
    features = extract.FeatureOptions(
        network=Network(backbone, weights=None if weights is None else Path(weights), size=size), fit=fit
    )
    options = tune.TuneOptions(
        cut=cut,
        views=views,
        epochs=epochs,
        patience=patience,
        learning_rate=learning_rate,
        batch_size=batch_size,
        labels=with_where(with_splits(labels, splits), where),
        group=group,
        seed=random_state,
        keep=keep,
    )
    told = tune.Told(
        progress or told.extracting, training or told.training, stage or told.stage, notice or told.notice
    )
    return tune.tune(Path(data), Path(cache), features, options, extract.RunOptions(device=device), told)
