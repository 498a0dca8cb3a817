"""Executors: what computes the photographs of a plan. Here it is this process."""

import functools
from collections.abc import Callable
from typing import Protocol

from embed.backbones import ResolvedNetwork, Runtime, open_runtime
from embed.cache import Recipe
from embed.extract import pipeline
from embed.extract.commit import Sink
from embed.extract.options import RunOptions
from embed.extract.plan import Plan


class Executor(Protocol):
    """Computes features, on one machine or many."""

    def dimension(self, network: ResolvedNetwork, recipe: Recipe) -> int:
        """Return how many features a photograph gets; asked for only where no feature set of the recipe tells."""

    def run(self, plan: Plan, network: ResolvedNetwork, sink: Sink) -> str | None:
        """Compute the groups of a plan and put every result into the sink, from this thread, in any order.

        Returns
        -------
        {"decode", "forward", "disk"} or None
            What the rest waited for.
        """


class Here:
    """Computes in this process.

    Parameters
    ----------
    run : RunOptions
    notify : callable
        Told where the backbone has to be prepared.
    """

    def __init__(self, run: RunOptions, notify: Callable[[str], None]) -> None:
        self._run = run
        self._notify = notify
        self._opened: dict[tuple[ResolvedNetwork, str], Runtime] = {}

    def dimension(self, network: ResolvedNetwork, recipe: Recipe) -> int:
        """Return how many features a photograph gets."""
        return self._runtime(network, recipe.precision).dimension

    def run(self, plan: Plan, network: ResolvedNetwork, sink: Sink) -> str:
        """Compute the groups of a plan and put every result into the sink."""
        timing = pipeline.Timing()
        runtime = functools.partial(self._runtime, network, plan.recipe.precision)
        with pipeline.open_decoder(plan.recipe, self._run) as decoder:
            for result in pipeline.compute(
                plan.source,
                plan.groups(),
                decoder,
                runtime,
                skip=plan.knows,
                batch_size=self._run.batch_size,
                timing=timing,
            ):
                sink.put(result)
        return timing.bottleneck

    def _runtime(self, network: ResolvedNetwork, precision: str) -> Runtime:
        if (network, precision) not in self._opened:
            opened = open_runtime(network, self._run.device, precision, self._notify)
            self._opened[network, precision] = opened
        return self._opened[network, precision]
