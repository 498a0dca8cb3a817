"""The search for photographs, beside the work on those that were found."""

import itertools
import threading

import pytest
from waiting import DEADLINE_S, until

from embed.errors import InputError
from embed.extract import scan
from embed.sources import Failed, Item, Listed


class Told:
    """A source that tells what it is given."""

    root, name, again, places = "there", "there", "", ()

    def __init__(self, told):
        self.told = told

    def find(self):
        yield from self.told


def told_by(blocks):
    """Return what blocks tell, one by one."""
    return [
        one
        for told in itertools.chain(*blocks)
        for one in (told.items() if isinstance(told, scan.Run) else [told])
    ]


def searching():
    return [thread for thread in threading.enumerate() if thread.name == "scan" and thread.is_alive()]


def test_what_is_told_comes_in_order_and_the_total_is_known_at_the_end():
    told = [
        Item("a", 1, -5),
        Failed("b", "broken", expected=False),
        *(Item(f"c{number:04}", number, number) for number in range(1000)),
        Item("d\udcff", 2**40, 2**63 - 1),
        Listed(""),
    ]
    with scan.Scan(Told(told)) as search:
        search.wait_for_first()
        assert told_by(search.blocks()) == told
        assert search.total == 1002


def test_nobody_waits_for_a_block_to_fill_up():
    go_on = threading.Event()

    def slow():
        yield Item("a", 1, 1)
        assert go_on.wait(DEADLINE_S)
        yield Item("b", 1, 1)

    with scan.Scan(Told(slow())) as search:
        blocks = search.blocks()
        while not (first := next(blocks)):
            pass
        assert told_by([first]) == [Item("a", 1, 1)]
        go_on.set()
        assert told_by(blocks) == [Item("b", 1, 1)]


def test_the_search_runs_ahead_only_so_far_and_ends_when_it_is_given_up(monkeypatch):
    monkeypatch.setattr(scan, "AHEAD", 1000)
    found = itertools.count()
    with scan.Scan(Told(Item(f"{next(found):09}", 1, 1) for _ in itertools.count())) as search:
        search.wait_for_first()
        until(lambda: len(search._packed) == 1000 // scan.BLOCK, "a search that waits for room")
        assert next(found) < 3000
        assert searching()
    until(lambda: not searching(), "the end of the search")


@pytest.mark.parametrize(
    "error", [RecursionError("too deep"), OSError(5, "Input/output error"), MemoryError()]
)
def test_any_error_of_the_search_is_told_after_what_was_found(error):
    def failing():
        yield Item("a", 1, 1)
        raise error

    with scan.Scan(Told(failing())) as search:
        found = []
        with pytest.raises(InputError, match="there broke off"):
            found.extend(block for block in search.blocks())
        assert told_by(found) == [Item("a", 1, 1)]


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ([Listed("")], r"no images in there: no file there has the name or the first bytes of one\."),
        ([Failed("disk", "is away"), Listed("")], r"no images in there; disk: is away\."),
    ],
)
def test_where_there_is_nothing_it_is_said(told, sentence):
    with scan.Scan(Told(told)) as search, pytest.raises(InputError, match=sentence):
        search.wait_for_first()
