"""The order of rows: what replaying the parts one change after the other gives, read from as little as possible."""

import os

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from embed.cache.manifest import Entry
from embed.cache.replay import Replay

PATHS = [b"a", b"a/b", b"a0", b"b", b"c\xe9", b"c\xe9long", b"d", b"e", b"f"]


class FakePart:
    def __init__(self, put, removed=()):
        self.put, self.gone, self.reads = sorted(put), sorted(set(removed) - set(put)), 0
        first, last = ([os.fsdecode(self.put[i]) for i in (0, -1)]) if put else (None, None)
        self.entry = Entry("", 1, len(put), len(self.gone), first, last)

    def __len__(self):
        return len(self.put)

    def removed(self):
        return self.gone

    def read(self, column):
        assert column == "path"
        self.reads += 1
        return np.array(self.put, "S") if self.put else np.zeros(0, "S1")


def one_by_one(parts):
    state, row = {}, 0
    for part in parts:
        for path in part.gone:
            state.pop(path, None)
        for path in part.put:
            state[path] = row
            row += 1
    return dict(sorted(state.items()))


@given(st.lists(st.tuples(st.sets(st.sampled_from(PATHS)), st.sets(st.sampled_from(PATHS))), max_size=8))
def test_any_changes_give_what_one_after_the_other_gives(changes):
    parts = [FakePart(put, removed) for put, removed in changes]
    expected, replay = one_by_one(parts), Replay(parts)
    starts = np.cumsum([0, *map(len, parts)])
    assert list(replay.keys()) == list(expected)
    part_of, row_in_part = replay.place(np.arange(len(replay)))
    assert (starts[part_of] + row_in_part).tolist() == list(expected.values())
    assert replay.live().tolist() == np.bincount(part_of, minlength=len(parts)).tolist()
    assert len(replay) == len(expected)


def test_only_the_parts_that_change_are_read():
    base = [FakePart([b"a%03d" % i for i in range(100 * n, 100 * n + 100)]) for n in range(9)]
    assert len(Replay(base)) == 900 and not any(part.reads for part in base)
    change = FakePart([b"a150", b"a150x"], [b"a160"])
    replay = Replay([*base, change])
    assert len(replay) == 900 and [part.reads for part in base] == [0, 1, 0, 0, 0, 0, 0, 0, 0]
    assert list(replay.keys()) == list(one_by_one([*base, change]))


def test_parts_that_lie_side_by_side_are_not_read_in_whatever_order_they_were_written():
    parts = [FakePart([b"a%03d" % i for i in range(100 * n, 100 * n + 100)]) for n in (4, 0, 3, 1, 2)]
    replay = Replay(parts)
    assert len(replay) == 500 and not any(part.reads for part in parts)
    part_of, row_in_part = replay.place(np.arange(0, 500, 50))
    assert part_of.tolist() == [1, 1, 3, 3, 4, 4, 2, 2, 0, 0]
    assert row_in_part.tolist() == [0, 50] * 5
    assert list(replay.keys()) == list(one_by_one(parts))
    assert replay.live().tolist() == [100] * 5
