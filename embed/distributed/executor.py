"""The driver: hands out blocks, a bounded number at a time, and has the parts adopted that come back."""

import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from embed import files
from embed.backbones import ResolvedNetwork
from embed.cache import Recipe
from embed.distributed import worker
from embed.distributed.blocks import Pace, cut, places
from embed.distributed.connection import connected
from embed.distributed.job import Block, Job, Reply
from embed.distributed.nodes import Nodes, Slot
from embed.distributed.probe import answer, prober
from embed.errors import CacheDamagedError
from embed.extract import Executor, Here, Plan, RunOptions, Sink, pipeline

TRIES = 3  # of a block whose worker ends
LOOK_S = 1.0  # between two looks at which nodes there are
SILENCE_S = 30.0  # without a node that takes part, until that is said

KILLS = "ends the process that computes it, again and again"
LOST = "has features that are damaged on their way, again and again"

log = logging.getLogger(__name__)


@contextlib.contextmanager
def cluster(
    address: str,
    run: RunOptions | None = None,
    notify: Callable[[str], None] = lambda _: None,
    photographs_in_block: int | None = None,
) -> Iterator[Executor]:
    """Start or join a Ray cluster, and give what computes on it.

    Parameters
    ----------
    address : str
        ``"local"`` starts one on this machine, ``"auto"`` joins the one that this machine is part of, ``HOST:PORT`` another.
    run : RunOptions, optional
        `workers` holds on each node; by default one for each of its processors.
    notify : callable
        Told where the backbone has to be prepared on this machine.
    photographs_in_block : int, optional
        By default as many as take about a minute.

    Raises
    ------
    UsageError
        It is no address, or Ray is not installed.
    InputError
        No cluster answers there.
    """
    with connected(address) as ray:
        yield Cluster(ray, run or RunOptions(), notify, photographs_in_block)


class Cluster:
    """Computes on the nodes of a cluster. See `Executor`, and `cluster` for the parameters."""

    def __init__(
        self, ray: Any, run: RunOptions, notify: Callable[[str], None], photographs_in_block: int | None
    ) -> None:
        self._ray, self._run, self._block = ray, run, photographs_in_block
        self._here = Here(run, notify)

    def dimension(self, network: ResolvedNetwork, recipe: Recipe) -> int:
        """Return how many features a photograph gets."""
        return self._here.dimension(network, recipe)

    def run(self, plan: Plan, network: ResolvedNetwork, sink: Sink) -> str | None:
        """Have the groups of a plan computed and put every result into the sink.

        Raises
        ------
        InputError
            A node that was there at the beginning cannot take part.
        CacheWriteError
            The disk refused, here or on a node.
        """
        groups = plan.groups()
        first = next(groups, None)
        if first is None:
            return None
        job = Job(
            plan.source,
            sink.folder.absolute(),
            sink.meta,
            plan.recipe.hash,
            _portable(network),
            self._run,
            plan.contents(),
        )
        row_bytes = np.dtype(plan.recipe.dtype).itemsize * sink.meta.dimension * plan.recipe.views
        pace = Pace(row_bytes, self._block)
        with prober(job.folder, plan.source, first[0]) as asking:
            nodes = Nodes(asking, gpus=self._run.device != "cpu")
            shift = Shift(self._ray, job, asking.question, nodes, plan, sink, pace)
            try:
                shift.look()
                blocks = cut(
                    chain([first], groups),
                    lambda: pace.photographs(plan.left, nodes.workers),
                    places(plan.source.places),
                )
                for block in blocks:
                    shift.hand_out(block)
                shift.finish()
            finally:
                shift.end()
        # What was handed over and not adopted, by workers that were given up.
        files.sweep(job.folder)
        return shift.timing.bottleneck


class Shift:
    """The blocks that are out, and what is done about those that come back.

    Parameters
    ----------
    ray : module
    job : Job
    question : Question
        For nodes that come.
    nodes : Nodes
    plan : Plan
    sink : Sink
    pace : Pace
        Is told how fast blocks are computed.
    """

    def __init__(
        self, ray: Any, job: Job, question: Any, nodes: Nodes, plan: Plan, sink: Sink, pace: Pace
    ) -> None:
        self._ray, self._nodes, self._plan, self._sink, self._pace = ray, nodes, plan, sink, pace
        self._job, self._question = ray.put(job), question
        self._waiting: deque[Block] = deque()
        # None instead of a block: the node is asked whether it can take part.
        self._out: dict[Any, tuple[Slot, Block | None]] = {}
        self._looked = self._worked = time.monotonic()
        self.timing = pipeline.Timing()
        # Its process stays for the next block, also on a GPU, and nothing is tried again unless it is said here.
        task = ray.remote(max_retries=0, max_calls=0)
        self._compute, self._answer = task(worker.compute), task(answer)

    def look(self) -> None:
        """Look which nodes there are, and ask those that are new whether they can take part."""
        self._looked = time.monotonic()
        self._nodes.update(self._ray.nodes())
        for slot in self._nodes.to_ask():
            self._out[self._call(self._answer, slot, self._question)] = slot, None
        if self._nodes.workers or self._out:
            self._worked = self._looked
        elif self._looked - self._worked > SILENCE_S:
            self._worked = float("inf")
            log.warning("The cluster has no node that takes part; waiting for one.")

    def hand_out(self, block: Block) -> None:
        """Give a block to a worker, as soon as one takes it."""
        self._waiting.append(block)
        self._assign()
        while self._waiting:
            self._step()

    def finish(self) -> None:
        """Wait for all blocks."""
        while self._waiting or any(block is not None for _, block in self._out.values()):
            self._step()

    def end(self) -> None:
        """Call off what is still out."""
        for reference in self._out:
            with contextlib.suppress(self._ray.exceptions.RayError, ValueError, TypeError):
                self._ray.cancel(reference, force=True)
        self._out.clear()

    def _step(self) -> None:
        """Take what has come back, wait a moment for it, and give out what waits."""
        ready: list[Any] = []
        if self._out:
            ready, _ = self._ray.wait(list(self._out), num_returns=1, timeout=LOOK_S)
        else:
            time.sleep(LOOK_S)
        for reference in ready:
            self._take(reference)
        if time.monotonic() - self._looked >= LOOK_S:
            self.look()
        self._assign()

    def _assign(self) -> None:
        while self._waiting and (slot := self._nodes.free()) is not None:
            block = self._waiting.popleft()
            self._nodes.given(slot)
            self._out[self._call(self._compute, slot, block)] = slot, block

    def _call(self, task: Any, slot: Slot, about: Any) -> Any:
        strategies = self._ray.util.scheduling_strategies
        there = strategies.NodeAffinitySchedulingStrategy(slot.node, soft=False)
        options = {"num_cpus": slot.processors, "num_gpus": slot.gpus, "scheduling_strategy": there}
        return task.options(**options).remote(self._job, about, slot.processors)

    def _take(self, reference: Any) -> None:
        slot, block = self._out.pop(reference)
        if block is not None:
            self._nodes.done(slot)
        try:
            came = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            if block is None:
                self._nodes.silent(slot, _line(error))
            else:
                self._nodes.doubt(slot)
                self._again(block, KILLS)
            return
        if block is None:
            self._nodes.judge(slot, came)
        else:
            self._commit(block, came)

    def _commit(self, block: Block, reply: Reply) -> None:
        """Have the part of a block adopted, and decide about the photographs that have no features."""
        if reply.error is not None:
            raise reply.error
        if reply.receipt is not None:
            try:
                self._sink.adopt(reply.receipt)
            except CacheDamagedError as error:
                log.warning("%s", error)
                self._again(block, LOST)
                return
        for name in ("starved", "saturated", "consumer"):
            setattr(self.timing, name, getattr(self.timing, name) + getattr(reply.timing, name))
        self._pace.note(block.photographs, reply.seconds)
        unknown = []
        for result in reply.others:
            if result.problem is None and not self._plan.knows(result.sha256):
                unknown.append(result.item)  # another content begins with the same eight bytes
            else:
                self._sink.put(result)
        if unknown:
            self._waiting.append(Block.of([unknown], anew=True))

    def _again(self, block: Block, why: str) -> None:
        """Have a block computed again of which nothing came; after some tries in halves, and a single photograph no more."""
        block = replace(block, deaths=block.deaths + 1)
        if block.deaths < TRIES:
            self._waiting.appendleft(block)
        elif block.photographs > 1:
            # Each half is tried once before it is halved, for the whole was tried before.
            self._waiting.extendleft(replace(half, deaths=TRIES - 1) for half in reversed(block.halves()))
        else:
            for item in block.items():
                self._sink.put(pipeline.Result(item, b"", None, why, lasting=False))


def _portable(network: ResolvedNetwork) -> dict[str, Any]:
    described = network.to_json()
    file = described["weights_file"]
    return described if file is None else {**described, "weights_file": str(Path(file).absolute())}


def _line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300].rstrip(".")
