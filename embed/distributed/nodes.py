"""The nodes of a cluster, and what each of them is given to do."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from embed.distributed.job import Answer
from embed.distributed.probe import Prober
from embed.errors import InputError

AHEAD = 2  # blocks that a slot is given: one is computed, and one waits, so that it never idles
SILENT = 3  # workers that end while a node is asked, until it is left alone
CPU, GPU = "CPU", "GPU"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Slot:
    """What one worker takes of a node: all its processors, or one GPU with its share of them.

    Parameters
    ----------
    node : str
        As Ray calls it.
    number : int
    processors, gpus : int
    """

    node: str
    number: int
    processors: int
    gpus: int


@dataclass
class Node:
    """A node, and what is known of it.

    Parameters
    ----------
    name : str
        For people.
    slots : list of Slot
    first : bool
        Whether it was there at the beginning.
    alive : bool
    asked, accepted, refused : bool
        Whether it is being asked if it can take part, and what came of it.
    silent : int
        Workers that ended while it was asked.
    busy : dict of Slot to int
        Blocks that each slot has.
    """

    name: str
    slots: list[Slot]
    first: bool
    alive: bool = True
    asked: bool = False
    accepted: bool = False
    refused: bool = False
    silent: int = 0
    busy: dict[Slot, int] = field(default_factory=dict)


class Nodes:
    """Keeps account of the nodes.

    Parameters
    ----------
    prober : Prober
    gpus : bool
        Whether GPUs are used where a node has some.
    """

    def __init__(self, prober: Prober, *, gpus: bool) -> None:
        self._prober, self._gpus = prober, gpus
        self._nodes: dict[str, Node] = {}
        self._told: set[str] = set()

    def update(self, listed: list[Mapping[str, Any]]) -> None:
        """Take in what Ray lists."""
        first = not self._nodes
        for described in listed:
            key, alive = described["NodeID"], described["Alive"]
            if key in self._nodes:
                self._nodes[key].alive = alive
            elif alive and (slots := _slots(key, described["Resources"], gpus=self._gpus)):
                name = f"{described['NodeManagerHostname']} ({described['NodeManagerAddress']})"
                self._nodes[key] = Node(name, slots, first, busy=dict.fromkeys(slots, 0))

    @property
    def workers(self) -> int:
        """How many workers there are, of nodes that take part."""
        return sum(len(node.slots) for node in self._nodes.values() if node.alive and node.accepted)

    def to_ask(self) -> list[Slot]:
        """Return a slot of each node that is to be asked whether it can take part, and note that it is."""
        asked = []
        for node in self._nodes.values():
            if node.alive and not (node.asked or node.accepted or node.refused):
                node.asked = True
                asked.append(node.slots[0])
        return asked

    def free(self) -> Slot | None:
        """Return the slot that has least to do and takes one more block, or None."""
        counts = {
            slot: count
            for node in self._nodes.values()
            if node.alive and node.accepted
            for slot, count in node.busy.items()
            if count < AHEAD
        }
        return min(counts, key=counts.__getitem__, default=None)

    def given(self, slot: Slot) -> None:
        """Note that a slot has one more block."""
        self._nodes[slot.node].busy[slot] += 1

    def done(self, slot: Slot) -> None:
        """Note that a slot has one block less."""
        self._nodes[slot.node].busy[slot] -= 1

    def doubt(self, slot: Slot) -> None:
        """Have a node asked again, whose worker has ended: it may not be what it was."""
        self._nodes[slot.node].accepted = False

    def silent(self, slot: Slot, why: str) -> None:
        """Note that a worker ended while its node was asked; a node that goes on so is left alone.

        Raises
        ------
        InputError
            It was there at the beginning.
        """
        node = self._nodes[slot.node]
        node.asked = False
        node.silent += 1
        if node.silent == SILENT and node.alive:
            self._refuse(node, f"runs no worker of embed: {why}")

    def judge(self, slot: Slot, answer: Answer) -> None:
        """Let a node take part, or leave it out.

        Raises
        ------
        InputError
            It cannot take part, and was there at the beginning.
        """
        node = self._nodes[slot.node]
        node.asked, node.silent = False, 0
        problem = self._prober.problem(answer)
        if problem:
            self._refuse(node, problem)
            return
        node.accepted = True
        for difference in self._prober.differences(answer):
            if difference not in self._told:
                self._told.add(difference)
                log.warning(
                    "Node %s has %s: features of one photograph may differ there in their last digits.",
                    node.name,
                    difference,
                )

    def _refuse(self, node: Node, problem: str) -> None:
        node.refused, node.first, first = True, False, node.first
        sentence = f"Node {node.name} {problem.rstrip('.')}."
        if first:
            raise InputError(sentence)
        log.warning("%s It is left out.", sentence)


def _slots(node: str, resources: Mapping[str, float], *, gpus: bool) -> list[Slot]:
    """Return what workers a node has room for."""
    processors, cards = int(resources.get(CPU, 0)), int(resources.get(GPU, 0)) if gpus else 0
    if not processors:
        return []
    if not cards:
        return [Slot(node, 0, processors, 0)]
    return [Slot(node, number, max(1, processors // cards), 1) for number in range(min(cards, processors))]
