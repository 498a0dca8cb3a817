"""Which photographs train and which are held out."""

import numpy as np
import pytest
from cache_helpers import open_writer, row_of
from fitting_samples import DIMENSION, contents, flat, with_splits

from embed.cache import open_features
from embed.errors import LabelError
from embed.labels import assign
from embed.learn import splits
from embed.search.vectors import normalised


def test_a_held_out_photograph_stays_held_out_when_the_folder_moves_or_grows():
    paths = flat(100)
    before = splits.divide(assign(paths), contents(paths))
    held = {paths[i] for i in before.validation}
    assert 0.1 < len(held) / len(paths) < 0.3
    grown = sorted([*paths, *(f"{name}/new{i}.jpg" for name in ("ants", "bees", "wasps") for i in range(50))])
    after = splits.divide(assign(grown), contents(grown))
    assert held <= {grown[i] for i in after.validation}
    assert {paths[i] for i in before.train} <= {grown[i] for i in after.train}
    moved = [f"deep/{path}" for path in paths]
    labelled = assign(moved, "regex:deep/([^/]+)/")
    assert splits.divide(labelled, contents(paths)).validation.tolist() == before.validation.tolist()
    assert (
        splits.divide(assign(paths), contents(paths), seed=1).validation.tolist()
        != before.validation.tolist()
    )


def test_every_class_is_on_both_sides_from_two_photographs_up():
    paths = [*flat(2, [f"class{i}" for i in range(40)]), "single/0.jpg"]
    split = splits.divide(assign(paths), contents(paths))
    held = [paths[i].split("/")[0] for i in split.validation]
    assert sorted(held) == sorted(f"class{i}" for i in range(40))


def test_copies_and_groups_stay_on_one_side():
    paths = flat(60)
    same = [f"{path.split('/')[0]}/{int(path[-7:-4]) // 2}" for path in paths]
    split = splits.divide(assign(paths), contents(same))
    assert not {same[i] for i in split.train} & {same[i] for i in split.validation}
    groups = np.array([path[-6:-5] for path in paths], dtype=object)
    split = splits.divide(assign(paths), contents(paths), groups=groups)
    assert not {groups[i] for i in split.train} & {groups[i] for i in split.validation}
    folds = splits.divide(assign(paths), contents(paths), cv=4, groups=groups).fold
    assert all(len(set(folds[groups == group])) == 1 for group in set(groups))


def test_folds_are_stratified_and_leave_test_alone():
    paths = with_splits()
    split = splits.divide(assign(paths), contents(paths), cv=5)
    assert len(split.train) == 120 and len(split.test) == 30
    for name in ("ants", "bees", "wasps"):
        of_class = [fold for i, fold in zip(split.train, split.fold, strict=True) if name in paths[i]]
        assert np.bincount(of_class).tolist() == [8] * 5


def test_folders_decide_where_there_are_splits():
    paths = [*with_splits(), "stray.jpg"]
    split = splits.divide(assign(paths), contents(paths))
    assert (len(split.train), len(split.validation), len(split.test)) == (90, 30, 30)
    assert split.evaluated_on == "test"
    assert paths.index("stray.jpg") not in np.concatenate([split.train, split.validation, split.test])


@pytest.mark.parametrize(
    ("paths", "part"),
    [
        (["1.jpg", "2.jpg"], "no photograph has a label"),
        (flat(5, ["ants"]), "are 'ants'; a classifier needs at least two classes$"),
        (
            ["train/good/1.jpg", "train/good/2.jpg", "test/good/3.jpg", "test/cut/4.jpg", "test/torn/5.jpg"],
            "are 'good'; .* at least two classes, and 'cut', 'torn' lie in validation or test folders only; splits none",
        ),
        (["val/a/1.jpg", "val/b/2.jpg", "test/a/3.jpg"], "none to train on"),
        (["a/1.jpg", "b/1.jpg"], "no photograph can be held out"),
    ],
)
def test_too_few_labels_are_told_in_one_sentence(paths, part):
    with pytest.raises(LabelError, match=part):
        splits.divide(assign(paths), contents(paths))


def test_near_duplicates_across_the_split_are_found_blockwise(monkeypatch):
    monkeypatch.setattr(splits, "BLOCK", 7)
    X = np.abs(np.random.default_rng(0).standard_normal((60, DIMENSION))).astype(np.float32)
    X[50] = 3 * X[4] + np.float32(0.001)
    found = splits.near_duplicates(lambda i: X[i], np.arange(40), np.arange(40, 60))
    assert [(a, b) for a, b, _ in found.pairs] == [(50, 4)] and found.pairs[0][2] > 0.999
    assert (found.checked, found.scored) == (20, 20)


def test_pictures_that_are_all_alike_to_the_network_are_no_near_duplicates(tmp_path):
    """As pages of text: every two of them have a cosine of 0.98, and only the copy is one."""
    random = np.random.default_rng(0)
    page = random.random(24) + 1
    pages = [page + 0.18 * random.standard_normal(24) for _ in range(24)]
    rows = {f"{'train' if i < 16 else 'test'}/{'ab'[i % 2]}/{i}.png": row for i, row in enumerate(pages)}
    with open_writer(tmp_path) as writer:
        for path, vector in {
            **rows,
            "train/b/copied.png": pages[23],
            "test/b/copy.png": 2 * pages[23],
        }.items():
            row = row_of(path)
            writer.put(path, row.sha256, row.size, row.mtime_ns, vector.astype(np.float32))
    features = open_features(tmp_path / "cache")
    unit = normalised(features.X)
    assert np.quantile(unit @ unit.T, 0.3) > splits.NEAR_DUPLICATE
    split = splits.divide(assign(features.paths.tolist()), features.sha256)
    found = splits.near_duplicates_across(features, split)
    names = {features.paths[scored] for scored, _, _ in found.pairs}
    assert names == {"test/b/23.png", "test/b/copy.png"} and found.threshold > splits.NEAR_DUPLICATE
