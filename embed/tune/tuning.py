"""Tune a network: frozen features, a head on them, kept outputs, training, tuned features, and what was gained."""

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embed import files, labels, sources
from embed.backbones import Cut, ResolvedNetwork, Tuning, child, choose_cut, read_tuning, tuning
from embed.cache import FeatureCache, Lock, find_features
from embed.errors import LabelError
from embed.extract import FeatureOptions, RunOptions, extract_features
from embed.learn import FitOptions, splits
from embed.learn import groups as together
from embed.learn.trainer import STOPPING_PARTS
from embed.tune import outputs
from embed.tune.judge import FEW_TO_TUNE_ON, Gain, compare
from embed.tune.options import Step, Told, TuneOptions
from embed.tune.probe import probe

WEIGHTS = "tuned"  # folder of the tuned weights, in the set that they were tuned from
VERSION = 1  # raised when the same photographs and options give other weights


@dataclass(frozen=True)
class Tuned:
    """What tuning has led to.

    Attributes
    ----------
    weights : Path
        The tuned weights, as ``weights`` of an extraction takes them.
    features : str
        Name of the feature set that they computed.
    frozen : str
        Name of the one that they were tuned from.
    cut : Cut
    photographs, held_out : int
        That were trained on, and by which the training stopped.
    learning_curve : list of dict
        Loss and accuracy of every epoch.
    best_epoch : int
        The one whose weights were kept.
    gain : Gain
        What it has brought, on photographs that were neither trained on nor stopped by.
    notes : list of str
        Sentences to read before the number is believed.
    seconds : float
    """

    weights: Path
    features: str
    frozen: str
    cut: Cut
    photographs: int
    held_out: int
    learning_curve: list[dict[str, Any]]
    best_epoch: int
    gain: Gain
    notes: list[str]
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return the document that ``embed tune --json`` prints."""
        return {
            "weights": str(self.weights),
            "features": self.features,
            "frozen": self.frozen,
            "cut": self.cut.layer,
            "photographs": self.photographs,
            "held_out": self.held_out,
            "best_epoch": self.best_epoch,
            "learning_curve": self.learning_curve,
            **self.gain.to_json(),
            "notes": self.notes,
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class _Plan:
    """Which photographs train, which stop; rows of the frozen features, ascending, and the classes by number."""

    train: NDArray[np.int64]
    held_out: NDArray[np.int64]
    target: NDArray[np.int64]  # of every row of the features, -1 without a class
    classes: list[str]


def tune(
    data: Path,
    cache: Path,
    features: FeatureOptions,
    options: TuneOptions | None = None,
    run: RunOptions | None = None,
    told: Told | None = None,
) -> Tuned:
    """Train the layers of a network above a cut on photographs, and say what it has gained.

    Everything below the cut stays as it is, so its outputs are computed once and kept. Interrupted, and called again, it goes on
    where it was; what is there already is not computed again.

    Parameters
    ----------
    data : Path
        Folder of photographs with labels.
    cache : Path
        Folder of the feature sets.
    features : FeatureOptions
        The network, and what its features are made of.
    options : TuneOptions, optional
    run : RunOptions, optional
    told : Told, optional

    Raises
    ------
    UsageError
        The network cannot be tuned, or not there; an option cannot work.
    LabelError
        There are no labels, or too few.
    InputError, WeightsError, CacheError
        As for an extraction.
    """
    started = time.perf_counter()
    options, run, told = options or TuneOptions(), run or RunOptions(), told or Told()
    cut = choose_cut(features.network.cuts(), features.network.backbone, options.cut)
    network = features.network.resolve()
    frozen = _extracted(data, cache, features, run, told)
    plan = _planned(frozen, options)
    key = _key(frozen, cut, options, plan)
    weights = frozen.folder / WEIGHTS / f"{cut.layer}-{key[:8]}.weights.h5"
    files.make_folder(frozen.folder / outputs.FOLDER, closed=True)
    files.make_folder(weights.parent, closed=True)
    lock = Lock(frozen.folder / outputs.FOLDER)
    try:
        done = _known(weights, key)
        if done is None:
            _train(data, frozen, features, network, cut, options, plan, run, told, weights, key)
            done = _known(weights, key)
            assert done is not None
        if not options.keep:
            outputs.remove(frozen.folder)
    finally:
        lock.release()
    own = replace(features, network=replace(features.network, weights=weights))
    tuned = _extracted(data, cache, own, run, told)
    judging = FitOptions(labels=options.labels, group=options.group, seed=options.seed)
    gain = compare(frozen, tuned, judging, told)
    return Tuned(
        weights=weights,
        features=tuned.name,
        frozen=frozen.name,
        cut=cut,
        photographs=len(plan.train),
        held_out=len(plan.held_out),
        learning_curve=done.about["learning_curve"],
        best_epoch=done.about["best_epoch"],
        gain=gain,
        notes=_notes(plan, gain),
        seconds=time.perf_counter() - started,
    )


def _extracted(
    data: Path, cache: Path, features: FeatureOptions, run: RunOptions, told: Told
) -> FeatureCache:
    summary = extract_features(data, cache, features, run, told.extracting)
    if summary.interrupted:
        raise KeyboardInterrupt
    return FeatureCache.open(find_features(cache, summary.features))


def _planned(features: FeatureCache, options: TuneOptions) -> _Plan:
    """Return which photographs train and which stop: those that `fit` would score take no part."""
    labelled = labels.of(features, options.labels)
    groups = together.of(features, labelled, options.group)
    split = splits.divide(labelled, features.sha256, seed=options.seed, groups=groups)
    train = split.train
    classes = sorted(set(labelled.labels[train].tolist()))
    number = {label: i for i, label in enumerate(classes)}
    target = np.array([number.get(label, -1) for label in labelled.labels], np.int64)
    if len(split.test) and len(split.validation):
        held_out = split.validation[target[split.validation] >= 0]
    else:
        keys = splits.keys_of(features.sha256, groups)[train]
        fold = splits.inner_folds(labelled.labels[train].astype(str), keys, STOPPING_PARTS, options.seed)
        train, held_out = train[fold != 0], train[fold == 0]
    scored = split.test if len(split.test) else split.validation
    # Copies of what is scored lie in another folder at times.
    untouched = {row.tobytes() for row in features.sha256[scored]}
    train, held_out = (
        part[[row.tobytes() not in untouched for row in features.sha256[part]]] for part in (train, held_out)
    )
    if len(set(target[train].tolist())) < len(classes):
        raise LabelError("too few photographs to tune on: a class is left without one")
    return _Plan(np.sort(train), np.sort(held_out), target, classes)


def _key(features: FeatureCache, cut: Cut, options: TuneOptions, plan: _Plan) -> str:
    """Return the hexadecimal sha256 of all that the tuned weights depend on."""
    about = {
        "version": VERSION,
        "recipe": features.recipe.hash,
        "cut": cut.layer,
        "options": options.of_training(),
        "classes": plan.classes,
    }
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode(errors="surrogatepass"))
    for part in (plan.train, plan.held_out):
        digest.update(features.sha256[part].tobytes() + plan.target[part].tobytes() + b"\0")
    return digest.hexdigest()


def _known(weights: Path, key: str) -> Tuning | None:
    """Return what weights that are there say of themselves, where they are those that would come out."""
    try:
        found = read_tuning(weights)
    except OSError:
        return None
    return found if found is not None and found.about.get("key") == key else None


def _train(
    data: Path,
    frozen: FeatureCache,
    features: FeatureOptions,
    network: ResolvedNetwork,
    cut: Cut,
    options: TuneOptions,
    plan: _Plan,
    run: RunOptions,
    told: Told,
    weights: Path,
    key: str,
) -> None:
    both = np.sort(np.concatenate([plan.train, plan.held_out]))
    needed = outputs.size_of(len(both), cut, options.views)
    outputs.check_room(frozen.folder, needed)
    told.notice(
        f"The outputs of {cut.layer} take {needed / 1e6:,.0f} MB on disk until the training is done "
        f"({len(both):,} photographs, {cut.kilobytes * options.views:,.1f} kB each)."
    )
    wanted = outputs.options_of(features, cut, options.views, options.seed)
    origin = frozen.origin
    source = sources.open(data, sources.Filters(origin.exclude, origin.include))
    kept = outputs.compute(frozen, both, source, wanted, run, told)
    rows = {name: outputs.matching(frozen, kept, part) for name, part in _parts(plan)}
    for name, part in _parts(plan):
        there = rows[name] >= 0
        rows[name] = rows[name][there]
        rows[f"{name}_y"] = plan.target[part[there]]
    missing = len(both) - len(rows["train"]) - len(rows["held_out"])
    if missing:
        told.notice(f"{missing} photographs are left out: the outputs of {cut.layer} cannot be had of them.")
    told.stage("fitting a head on the frozen features", 0, 0)
    head = probe(frozen.rows(plan.train), plan.target[plan.train])
    before = tuning(network)
    seen = [frozen.sha256[both], *([] if before is None else [before.contents])]
    checkpoint = kept.folder.parent / outputs.TRAINING / f"{key[:16]}.npz"
    files.make_folder(checkpoint.parent, closed=True)
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "plan.npz"
        np.savez(
            given,
            train_rows=rows["train"],
            train_y=rows["train_y"],
            held_out_rows=rows["held_out"],
            held_out_y=rows["held_out_y"],
            kernel=head.kernel,
            bias=head.bias,
            contents=np.concatenate(seen),
        )
        job = {
            "network": network.to_json(),
            "cut": cut.layer,
            "shape": cut.shape,
            "cache": os.fspath(kept.folder.parent),
            "outputs": kept.name,
            "plan": os.fspath(given),
            "options": options.of_training(),
            "checkpoint": os.fspath(checkpoint),
            "to": os.fspath(weights),
            "tuned_from": network.weights_sha256,
            "about": {
                "key": key,
                "cut": cut.layer,
                "classes": plan.classes,
                "photographs": len(rows["train"]),
                "held_out": len(rows["held_out"]),
                "options": options.of_training(),
            },
        }
        told.stage("preparing the training", 0, 0)
        child.call("embed.tune.train", job, tell=lambda *step: told.training(Step(*step)))


def _parts(plan: _Plan) -> Sequence[tuple[str, NDArray[np.int64]]]:
    return ("train", plan.train), ("held_out", plan.held_out)


def _notes(plan: _Plan, gain: Gain) -> list[str]:
    """Return what to read before the number is believed."""
    notes = []
    if not gain.shown:
        notes.append(
            f"no gain shown: on {gain.n} photographs the difference lies between {gain.low:+.3f} and {gain.high:+.3f}; keep the"
            " frozen features"
        )
    if len(plan.train) < FEW_TO_TUNE_ON:
        notes.append(
            f"{len(plan.train)} photographs are few to tune a network on: with fewer than some {FEW_TO_TUNE_ON} it mostly learns them"
            " by heart"
        )
    return notes
