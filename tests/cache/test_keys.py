"""Packed paths are the list that they were packed from, whatever the bytes."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from embed.cache.keys import Keys

NAMES = st.sampled_from([b"a", b"b", b"a0", b"caf\xe9", b"x" * 40])
PATHS = st.lists(st.lists(NAMES, min_size=1, max_size=4).map(b"/".join), unique=True, max_size=30).map(sorted)


def packed(paths, cut=3):
    columns = [paths[:cut], [], paths[cut:]]
    return Keys.of(np.array(column, "S") if column else np.zeros(0, "S1") for column in columns)


@settings(deadline=None)
@given(PATHS, st.lists(st.integers(0, 29)))
def test_they_are_found_taken_and_listed_as_from_a_list(paths, some):
    keys = packed(paths)
    assert list(keys) == [keys[row] for row in range(len(keys))] == keys[:] == paths
    assert [keys.find(path) for path in paths] == list(range(len(paths)))
    assert keys.find(b"not there") is None
    rows = np.array([row for row in some if row < len(paths)], np.int64)
    assert list(keys.take(rows)) == [paths[row] for row in rows]


@settings(deadline=None)
@given(PATHS, st.sampled_from([1, 7, 1 << 22]))
def test_neighbours_in_one_folder_are_one_run(paths, block):
    import embed.cache.keys as module

    before, module.COMPARED_BYTES = module.COMPARED_BYTES, block
    try:
        firsts, run_of = packed(paths).folders()
    finally:
        module.COMPARED_BYTES = before
    folders = [path.rpartition(b"/")[0] for path in paths]
    expected = [i for i, folder in enumerate(folders) if i == 0 or folder != folders[i - 1]]
    assert firsts.tolist() == expected
    assert [folders[firsts[run]] for run in run_of] == folders


def test_one_long_path_does_not_widen_the_others():
    paths = sorted([b"a/%06d.jpg" % i for i in range(10_000)] + [b"b" * 4000])
    keys = Keys.of([np.array(paths[i : i + 100], "S") for i in range(0, len(paths), 100)])
    assert list(keys) == paths
    assert len(keys._data) + keys._starts.nbytes < 30 * len(paths)
