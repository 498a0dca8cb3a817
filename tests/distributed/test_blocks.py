"""Blocks are of the right size, in order, and of one shard."""

import itertools

import pytest

from embed.distributed.blocks import BLOCK_BYTES, BLOCK_S, FIRST, LEAST, Pace, cut, places
from embed.distributed.job import Block
from embed.sources import Item


def groups(*names, size=4):
    items = [Item(name, number, number) for number, name in enumerate(names)]
    return [items[start : start + size] for start in range(0, len(items), size)]


def names(block):
    return [item.name for item in block.items()]


def test_a_block_is_what_was_put_into_it():
    block = Block.of(groups("a", "caf\udce9", "c", "d", "e"), deaths=2, anew=True)
    assert block.groups() == groups("a", "caf\udce9", "c", "d", "e")
    assert (block.photographs, block.deaths, block.anew) == (5, 2, True)


@pytest.mark.parametrize("count", [2, 3, 4, 5, 17])
def test_halves_are_all_of_a_block_and_neither_is_empty(count):
    block = Block.of(groups(*map(str, range(count))), deaths=1)
    first, second = block.halves()
    assert names(first) + names(second) == names(block)
    assert min(first.photographs, second.photographs) > 0
    assert {first.deaths, second.deaths} == {1}


def test_photographs_are_cut_into_blocks_in_their_order():
    blocks = list(cut(groups(*map(str, range(22))), lambda: 8, lambda _: ""))
    assert [block.photographs for block in blocks] == [8, 8, 6]
    assert list(itertools.chain(*map(names, blocks))) == [str(number) for number in range(22)]


def test_a_block_is_given_out_before_the_next_photograph_is_found():
    found = []

    def slowly():
        for group in groups(*map(str, range(8))):
            found.append(group)
            yield group

    next(cut(slowly(), lambda: 4, lambda _: ""))
    assert len(found) == 1


def test_no_block_reaches_from_one_shard_into_another():
    shards = [f"{shard}.tar/{number}" for shard in "ab" for number in range(6)]
    blocks = list(cut(groups(*shards), lambda: 100, places(("a.tar", "b.tar"))))
    assert [names(block) for block in blocks] == [shards[:6], shards[6:]]


def test_places_are_found_at_any_depth():
    place = places(("x/1.tar", "y"))
    assert [place(name) for name in ("x/1.tar/a/b.jpg", "y/c.jpg", "z/d.jpg", "e.jpg")] == [
        "x/1.tar",
        "y",
        "",
        "",
    ]


def test_blocks_grow_with_the_speed_up_to_a_minute():
    pace = Pace(row_bytes=4)
    sizes = [pace.photographs(None, 1)]
    for _ in range(20):
        pace.note(sizes[-1], sizes[-1] / 100)  # 100 a second
        sizes.append(pace.photographs(None, 1))
    assert sizes[:3] == [FIRST, 2 * FIRST, 4 * FIRST]
    assert sizes[-1] == 100 * BLOCK_S


def test_blocks_shrink_where_photographs_turn_out_to_be_slow():
    pace = Pace(row_bytes=4)
    pace.note(FIRST, 1000.0)
    assert pace.photographs(None, 1) == LEAST


def test_blocks_are_no_larger_than_a_part_should_be():
    row_bytes = 4 << 20
    pace = Pace(row_bytes)
    assert pace.photographs(None, 1) * row_bytes <= BLOCK_BYTES


def test_what_is_left_is_shared():
    pace = Pace(row_bytes=4)
    for _ in range(10):
        pace.note(pace.photographs(None, 1), 0.01)
    assert pace.photographs(None, 4) > 1000
    assert pace.photographs(400, 4) == 400 // 8
    assert pace.photographs(10, 4) == LEAST


def test_small_blocks_say_nothing_of_the_speed():
    pace = Pace(row_bytes=4)
    pace.note(1, 100.0)
    assert pace.photographs(None, 1) == FIRST
