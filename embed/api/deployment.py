"""A fitted classifier in one file for elsewhere."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from embed.cache import FeatureCache
from embed.deploy import Deployed, deploy

if TYPE_CHECKING:
    from embed.api.features import Features


def export_model(
    features: "Features | FeatureCache",
    to: str | os.PathLike[str],
    model: str | None = None,
    *,
    int8: bool = False,
    notify: Callable[[str], None] = lambda _: None,
) -> Deployed:
    """Write a fitted classifier into one file for an app, a phone or a service: pixels in, probabilities out.

    The file is run by its own runtime over photographs that the model was judged on before it takes its name.

    Parameters
    ----------
    features : Features
        The feature set that it was fitted on.
    to : path
        ``.onnx``, ``.tflite`` (LiteRT), ``.xml`` (OpenVINO, with a ``.bin``) or ``.keras``. A file of that name is replaced.
        Without a suffix it is a folder, TensorFlow's SavedModel, which must not be there.
    model : str, optional
        Its name; by default the one fitted last.
    int8 : bool
        Whether the network computes in whole numbers of eight bits, by ranges that photographs from the cache need; for
        ``.onnx`` and ``.tflite``.
    notify : callable
        Told what is under way.

    Returns
    -------
    Deployed
        ``files``, and ``parity``: how they answered beside `embed`.

    Raises
    ------
    UsageError
        The format is not known, cannot hold the model, or needs a package that is not installed.
    InputError
        The photographs to compare by are gone, or the file cannot be written.
    ModelError
        There is no such model; or the file answers otherwise than `embed`, and is not kept.
    WeightsError
        The weights of the network are gone.
    """
    from embed.learn import load

    cache = features if isinstance(features, FeatureCache) else features.cache
    return deploy(cache, load(cache, model), Path(to), int8=int8, notify=notify)
