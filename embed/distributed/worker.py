"""What runs on a node: a block of photographs becomes a part of the set. Nothing here knows of Ray."""

import functools
import json
import time
from dataclasses import replace

from embed import backbones, images, machine
from embed.backbones import Network, ResolvedNetwork, Runtime, open_runtime
from embed.cache import PartWriter, Recipe, Row
from embed.distributed.job import Block, Job, Reply
from embed.errors import CacheFormatError, EmbedError, FeatureError, WeightsError
from embed.extract import pipeline


def compute(job: Job, block: Block, processors: int) -> Reply:
    """Compute a block, and leave its part, durable, under a temporary name in the folder of the set.

    Parameters
    ----------
    job : Job
    block : Block
    processors : int
        How many this worker has for itself.

    Returns
    -------
    Reply
        What went wrong is in it, where it can be told in a sentence.
    """
    started = time.perf_counter()
    machine.share(processors)
    try:
        reply = _compute(job, block)
    except EmbedError as error:
        return Reply(error=error)
    return replace(reply, seconds=time.perf_counter() - started)


def _compute(job: Job, block: Block) -> Reply:
    recipe = job.meta.recipe
    network = network_of(job)
    part, others, timing = PartWriter(job.folder, job.meta), [], pipeline.Timing()
    with pipeline.open_decoder(recipe, job.run) as decoder:
        for result in pipeline.compute(
            job.source,
            block.groups(),
            decoder,
            functools.partial(_runtime, network, job.run.device, recipe.precision),
            skip=(lambda _: False) if block.anew else job.knows,
            batch_size=job.run.batch_size,
            timing=timing,
        ):
            if result.features is not None:
                try:
                    part.put(_row(result))
                    continue
                except FeatureError as error:
                    result = replace(result, features=None, problem=str(error))
            others.append(result)
    return Reply(part.hand_over() if len(part) else None, others, timing=timing)


def network_of(job: Job) -> ResolvedNetwork:
    """Return the network of a job as this machine has it.

    Raises
    ------
    WeightsError
        The weights here are others, or cannot be had.
    CacheFormatError
        This version of embed computes other features.
    """
    recipe = job.meta.recipe
    if (
        Recipe.from_json(recipe.to_json()).hash != job.recipe_hash
        or recipe.decoder != images.DECODER_VERSION
        or recipe.interpolation != images.INTERPOLATION
    ):
        raise CacheFormatError("this version of embed computes other features by the same recipe")
    return _network(json.dumps(job.network, sort_keys=True))


@functools.lru_cache(maxsize=1)
def _network(described: str) -> ResolvedNetwork:
    network = backbones.from_json(json.loads(described))
    name, weights, preprocess = network.backbone.name, None, None
    if backbones.is_file(name):
        name, preprocess = str(network.weights_file), network.backbone.preprocess or None
    elif network.own_weights:
        weights = network.weights_file
    here = Network(
        name,
        weights=weights,
        layer=network.layer,
        pooling=network.pooling,
        size=network.size,
        mirror=network.mirror,
        preprocess=preprocess,
    ).resolve()
    if here.fingerprint != network.fingerprint:
        raise WeightsError(f"the weights {network.weights} of {network.backbone.name} are others there")
    return here


@functools.lru_cache(maxsize=1)
def _runtime(network: ResolvedNetwork, device: str, precision: str) -> Runtime:
    """Return the network ready to run; it stays open for the blocks to come."""
    return open_runtime(network, device, precision)


def _row(result: pipeline.Result) -> Row:
    item, features = result.item, result.features
    assert features is not None and item.stamp is not None
    views = features[1:] if len(features) > 1 else None
    return Row(item.name, result.sha256, item.size, item.stamp, features[0], views, result.decoder)
