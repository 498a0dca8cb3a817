"""The functions of the Python interface: extract features, open a cache."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from embed import cache as caches
from embed import extract, sources
from embed.api.features import Features
from embed.arguments import checked
from embed.backbones import Network
from embed.labels import with_splits

if TYPE_CHECKING:
    from embed.extract import Progress, Summary
    from embed.vectors import Imported

DEFAULT_CACHE = "cache"


@checked
def extract_features(
    data: str | Path | Sequence[str | Path],
    cache: str | Path = DEFAULT_CACHE,
    *,
    backbone: str = "mobilenetv2",
    weights: str | Path | None = None,
    layer: str | None = None,
    pooling: str = "avg",
    size: int | None = None,
    mirror: bool = False,
    preprocess: str | None = None,
    fit: str = "stretch",
    views: int = 1,
    view_seed: int = 0,
    precision: str = "float32",
    dtype: str = "float32",
    device: str = "auto",
    workers: int | None = None,
    batch_size: int | None = None,
    rehash: bool = False,
    retry_failed: bool = False,
    allow_removals: bool = False,
    verify: bool = False,
    exclude: Sequence[str] | None = None,
    include: Sequence[str] | None = None,
    name: str | None = None,
    move: bool = False,
    cluster: str | None = None,
    progress: "Callable[[Progress], None] | None" = None,
) -> "Summary":
    """Compute the features of every photograph in a folder that are not in the cache yet.

    Interrupted, it keeps what it has computed; called again, it goes on from there.

    Parameters
    ----------
    data : path or URL, or sequence of them
        Folder of photographs, archive (``.tar``, ``.zip``), table (``.csv``, ``.parquet``), or several: they become one feature set.
    cache : path
        Folder of the feature sets.
    backbone : str
        Name of the network, one of ``embed.BACKBONES``, or a file with one of your own (``.onnx``).
    weights : path, optional
        Keras weights file to use instead of ImageNet's.
    layer : str, optional
        Layer whose output is taken; by default the last before the classes.
    pooling : {"avg", "max", "grid", "flatten"}
        What becomes of the last feature map.
    size : int, optional
        Side of the input in pixels; by default the backbone's.
    mirror : bool
        Average the features with those of the mirror image: better, at twice the time.
    preprocess : str, optional
        What becomes of the pixels before a network in a file, where that cannot be read off it: ``"imagenet"``, ``"clip"``,
        ``"minus1to1"``, ``"0to1"``, ``"caffe"``, ``"none"``, or ``"mean=M,std=S"`` for pixels 0..255.
    fit : {"stretch", "crop", "pad"}
        How a photograph becomes square.
    views : int
        Views of each photograph: the plain one and ``views - 1`` augmented.
    view_seed : int
        Seed of the augmented views.
    precision : {"float32", "bf16", "fp16"}
        Arithmetic of the backbone.
    dtype : {"float32", "float16"}
        How features are stored.
    device : {"auto", "cpu", "gpu"}
    workers : int, optional
        Decoding threads.
    batch_size : int, optional
        Photographs in one forward pass.
    rehash : bool
        Read every file again and recognise changes by content.
    retry_failed : bool
        Try the files that failed before again.
    allow_removals : bool
        Let rows leave though more than half of the set (and more than 20) would: their photographs are gone for good.
    verify : bool
        Read every byte of the set first, set damaged parts aside and compute their rows again.
    exclude : sequence of str, optional
        Patterns as in ``.gitignore`` of files and folders to leave out. They hold for the folder until others are given;
        an empty sequence forgets them.
    include : sequence of str, optional
        Patterns of what is taken although it is excluded, or hidden, or in the folder of a program.
    name : str, optional
        Name of the feature set, before the backbone; by default that of the folder.
    move : bool
        The folder is one that moved: it keeps the set, and the models, of a folder that is gone and had most of its
        photographs. Where all of them are there, that is seen without being told.
    cluster : str, optional
        Compute on a Ray cluster: ``"local"`` starts one on this machine, ``"auto"`` joins the one that this machine is part of,
        ``"HOST:PORT"`` another. While it is joined, the working folder of this process is another one for a moment.
    progress : callable, optional
        Called with a `Progress` after every photograph, or every block of them.

    Returns
    -------
    Summary
        What was done: images found, extracted, reused, removed, failed, unreachable; seconds. Where `kept` is not 0,
        so many rows stay though their photographs are gone: see `allow_removals`; where `likely` is not None, a set may
        be that of the folder: see `move`.

    Raises
    ------
    InputError
        `data` is no folder or holds no images; no cluster answers, or one of its nodes cannot take part.
    WeightsError
        The weights of the backbone cannot be had.
    UsageError
        An argument has a value that cannot work.
    CacheError
        The cache is locked, of a newer format, or cannot be written.
    KeyboardInterrupt
        The extraction was interrupted, after what is finished has been stored.

    Examples
    --------
    >>> summary = embed.extract_features("pictures", backbone="tiny")
    >>> summary.images, summary.failed
    (24, 0)
    >>> embed.extract_features("pictures", backbone="tiny").reused
    24
    """
    options = extract.FeatureOptions(
        network=Network(
            backbone,
            weights=None if weights is None else Path(weights),
            layer=layer,
            pooling=pooling,
            size=size,
            mirror=mirror,
            preprocess=preprocess,
        ),
        fit=fit,
        views=views,
        view_seed=view_seed,
        precision=precision,
        dtype=dtype,
    )
    run = extract.RunOptions(
        device=device,
        workers=workers,
        batch_size=batch_size,
        rehash=rehash,
        retry_failed=retry_failed,
        allow_removals=allow_removals,
        verify=verify,
        name=name,
        move=move,
    )
    with ExitStack() as stack:
        executor = None
        if cluster is not None:
            from embed import distributed

            executor = stack.enter_context(distributed.cluster(cluster, run))
        summary = extract.extract_features(
            sources.address(data) if isinstance(data, (str, Path)) else [*map(sources.address, data)],
            Path(cache),
            options,
            run,
            progress or (lambda _: None),
            executor=executor,
            filters=sources.filters(exclude, include),
        )
    if summary.interrupted:
        raise KeyboardInterrupt
    return summary


@checked
def import_features(
    vectors: Any,
    data: str | Path,
    cache: str | Path = DEFAULT_CACHE,
    *,
    paths: Any = None,
    missing: str = "refuse",
    path_column: str | None = None,
    vector_column: str | None = None,
    name: str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> "Imported":
    """Make vectors that another program computed a feature set, to fit, search and judge like any other.

    The set is what the vectors say: a row of a photograph that is not among them leaves. The same vectors again change nothing,
    and other ones become another set. Nothing can compute the features of further photographs.

    Parameters
    ----------
    vectors : path or array of shape (n, d)
        Numbers, one row for each photograph; or a file: ``.npy``, or a table (``.parquet``, ``.csv``, ``.tsv``) with a column
        of vectors, or one for each of their numbers, as ``f0``, ``f1``. float16 is stored as such, the rest as float32.
    data : path
        Folder of the photographs.
    cache : path
        Folder of the feature sets.
    paths : path or sequence of str, optional
        The photograph of each row: a list, or a file with one on a line, a JSON list, an array of text or a table. They are
        matched with what is in the folder, in whatever spelling. By default a column of the table of vectors.
    missing : {"refuse", "skip", "keep"}
        What becomes of vectors whose photograph is not there: an error, left out, or a row without a photograph.
    path_column, vector_column : str, optional
        Of tables; by default they are found by their names and by what they hold.
    name : str, optional
        Name of the feature set, before that of the vectors; by default that of the folder.
    progress : callable, optional
        Called with what is done, how many rows of it are, and of how many.

    Returns
    -------
    Imported
        What was done: rows imported, unchanged, removed; vectors without a photograph (missing), photographs without a vector
        (without), and how the names were matched.

    Raises
    ------
    InputError
        The vectors cannot be read or are no finite numbers; they are not as many as the names, or of other photographs.
    UsageError
        An argument has a value that cannot work.
    CacheError
        The cache is locked, of a newer format, or cannot be written.

    Examples
    --------
    >>> known = embed.open("cache")
    >>> done = embed.import_features(known.X[:, :9], "pictures", "other", paths=list(known.paths))
    >>> done.rows, done.dimension, done.without
    (24, 9, 0)
    >>> embed.open("other").fit("logistic").evaluation.n_known
    6
    """
    from embed import vectors as others

    return others.import_features(
        Path(vectors) if isinstance(vectors, (str, Path)) else vectors,
        Path(data),
        Path(cache),
        paths,
        missing=missing,
        path_column=path_column,
        vector_column=vector_column,
        name=name,
        progress=progress or (lambda what, done, total: None),
    )


@checked
def open(
    cache: str | Path = DEFAULT_CACHE,
    name: str | Sequence[str] | None = None,
    *,
    labels: str = "folder",
    splits: str | Mapping[str, str | Sequence[str]] | None = None,
) -> Features:
    """Open the features in a cache.

    Parameters
    ----------
    cache : path
        Folder of the feature sets.
    name : str or sequence of str, optional
        Name of one of them, or of its data set; by default the one that was extracted last. Several are joined by the content of
        the photographs, the features of each scaled to unit length: they become a set of their own, which is brought up to date
        where they have changed.
    labels : str
        Where labels come from: ``"folder"``, ``"regex:PATTERN"`` with one group, or ``"csv:FILE"`` with the columns
        path, label and, if wanted, split; ``"hand"`` are those given by `embed label`, which are also meant where no
        photograph has a label by its folder.
    splits : str or mapping, optional
        Which folders are splits, as ``{"train": "training", "test": ["testing", "more"]}``; an empty one: none is. By
        default they are recognised.

    Returns
    -------
    Features
        As they are now: an extraction that goes on meanwhile changes nothing in it. Nothing but the list of
        photographs is read until it is asked for.

    Raises
    ------
    NoFeaturesError
        Nothing has been extracted yet, or not under that name.
    CacheDamagedError, CacheFormatError
        A file of the cache is damaged, foreign or of a newer format.

    Examples
    --------
    >>> features = embed.open("cache")
    >>> features.X.shape
    (24, 512)
    >>> features.y[:2], features.splits[:2]
    (array(['boat', 'fish'], dtype=object), array(['test', 'test'], dtype=object))
    """
    folder, rule = Path(cache), with_splits(labels, splits)
    if name is None or isinstance(name, str):
        return Features(caches.open_features(folder, name), rule)
    return Features(caches.join(folder, [caches.open_features(folder, one) for one in name]), rule)
