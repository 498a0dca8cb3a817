"""Photographs of a table's columns: a condition asks for some, a column keeps some together."""

import json

import numpy as np
import pandas as pd
import pytest
from fitting_samples import features_of, make_features

from embed import api, report, search
from embed.api import Features
from embed.errors import UsageError
from embed.labels import with_where
from embed.learn import FitOptions, compare, fit, load, mislabelled

CAMERAS = [f"cam{i}" for i in range(8)]
WORST = "cam3"  # its labels are those of other photographs


@pytest.fixture
def known(tmp_path):
    paths = [f"{name}/{i:03d}.jpg" for name in ("ants", "bees") for i in range(80)]
    known = make_features(tmp_path, paths, features_of(paths, noise=0.1))
    rows = []
    for path in paths:
        name, number = path.split("/")[0], int(path[-7:-4])
        camera = CAMERAS[number // 10]
        label = {"ants": "bees", "bees": "ants"}[name] if camera == WORST else name
        rows.append((path, label, camera, 2015 + number // 10))
    table = pd.DataFrame(rows, columns=["path", "label", "camera", "year"])
    table.to_csv(tmp_path / "table.csv", index=False)
    return known, f"csv:{tmp_path / 'table.csv'}", table


def test_a_camera_is_on_one_side_of_every_fold_and_the_worst_and_the_best_are_told(known):
    features, rule, table = known
    fitted = fit(features, FitOptions(labels=rule, cv=4, group="camera"))
    camera = dict(zip(table["path"], table["camera"], strict=True))
    sides: dict[str, set[int]] = {}
    for position, fold in zip(fitted.split.train, fitted.split.fold, strict=True):
        sides.setdefault(camera[features.paths[position]], set()).add(fold)
    assert all(len(folds) == 1 for folds in sides.values())
    groups = load(features).document["groups"]
    assert groups == fitted.summary()["groups"]
    assert (groups["count"], groups["worst"]["group"], groups["worst"]["n"]) == (8, WORST, 20)
    assert groups["worst"]["accuracy"] < 0.2 and groups["best"]["accuracy"] == 1.0
    page = report.report_page(api.review(features, explained=0))
    assert (
        f"worst group</span><b>{groups['worst']['accuracy']:.1%}</b>" in page
        and f"<bdi>{WORST}</bdi>" in page
    )
    assert (
        api.review(features, explained=0).scores.changed == ""
    )  # the split was drawn again by the stored column


def test_a_camera_is_on_one_side_of_a_held_out_part(known):
    features, rule, table = known
    fitted = fit(features, FitOptions(labels=rule, group="camera"))
    camera = dict(zip(table["path"], table["camera"], strict=True))
    held_out = {camera[features.paths[i]] for i in fitted.split.validation}
    assert held_out and not held_out & {camera[features.paths[i]] for i in fitted.split.train}


def test_a_model_of_some_photographs_remembers_which(known):
    features, rule, table = known
    where = f"camera != '{WORST}' and year >= 2016"
    fitted = Features(features, rule).fit(where=where, group="camera", cv=3)
    asked = table[(table["camera"] != WORST) & (table["year"] >= 2016)]
    assert set(fitted.evaluation.paths) == set(asked["path"])
    assert fitted.model.document["n_unlabelled"] == 0
    assert any(note == f"{where!r} asks for {len(asked)} of 160 photographs" for note in fitted.notes)
    assert api.review(features, explained=0).scores.changed == ""


def test_every_question_is_about_the_photographs_asked_for(known, tmp_path):
    features, rule, table = known
    asked = set(table[table["year"] == 2017]["path"])
    where = "year == 2017"
    photographs = Features(features, rule)
    assert set(photographs.select(where=where).paths) == asked
    assert set(photographs.select(where=where).to_dataframe()["year"]) == {"2017"}
    assert photographs.take([0, 1]).select(where="year == 2015").paths.tolist() == table["path"][:2].tolist()
    photographs.select(where=where).export(tmp_path / "out.csv")
    assert set(pd.read_csv(tmp_path / "out.csv")["path"]) == asked
    ruled = with_where(rule, where)
    assert set(search.layout(features, label_rule=ruled).paths) == asked
    assert search.layout(features, label_rule=ruled).left_out == 0
    assert {one.path for one in search.outliers(features, label_rule=ruled)} == asked
    found = search.duplicates(features, 0.5, label_rule=ruled)
    assert {one.path for group in found for one in group.photographs} <= asked and found
    assert {
        one.path
        for one in mislabelled(features, label_rule=with_where(rule, f"camera == '{WORST}' or year < 2017"))
    } <= {path for path, year in zip(table["path"], table["year"], strict=True) if year in (2015, 2016, 2018)}
    (row,) = list(compare([features], ["dummy"], FitOptions(labels=ruled, cv=2)))
    assert row.n == len(asked)


def test_copies_that_are_not_asked_for_make_no_group(tmp_path):
    paths = ["a/1.jpg", "a/2.jpg", "b/3.jpg", "b/4.jpg"]
    features = make_features(
        tmp_path, paths, np.eye(4, 24, dtype=np.float32)[[0, 0, 0, 1]], ["x", "x", "x", "y"]
    )
    found = search.duplicates(features, label_rule=with_where("folder", "label == 'a'"))
    assert [[one.path for one in group.photographs] for group in found] == [["a/1.jpg", "a/2.jpg"]]
    assert search.duplicates(features, label_rule=with_where("folder", "label == 'b'")) == []


def test_commands_put_their_flags_in_the_message_and_tell_how_many_rows_matched(known, tmp_path, run_embed):
    _, rule, _ = known

    def last(*arguments, code):
        done = run_embed(*arguments, "--cache", tmp_path / "cache")
        assert done.returncode == code, done.stderr
        return done

    done = last("export", "x.npy", "--labels", rule, "--where", "year == 2017", "--json", code=0)
    assert json.loads(done.stdout)["rows"] == 20
    assert "160 of 160 rows are photographs of the cache" in done.stderr
    assert "asks for 20 of 160 photographs" in done.stderr
    done = last("duplicates", "--labels", rule, "--where", "anno == 2017", code=2)
    assert "embed: --where 'anno == 2017' names 'anno', which is no column" in done.stderr
    done = last("fit", "--labels", "csv:nowhere.csv", code=1)
    assert "embed: --labels csv:" in done.stderr and "No such file" in done.stderr
    done = last("fit", "--labels", rule, "--group", "lens", code=2)
    assert "embed: --group 'lens' is not known" in done.stderr
    done = last("fit", "--labels", rule, "--group", "camera", "--cv", "4", code=0)
    assert f"20 photographs of {WORST}, one of 8)" in done.stdout
    assert done.stderr.count("160 of 160 rows") == 1


def test_a_condition_that_nothing_answers_is_told_in_python_too(known):
    features, rule, _ = known
    with pytest.raises(
        UsageError, match="where 'year == 1900' asks for none of 160 photographs; 'year' is '2015', "
    ):
        Features(features, rule).select(where="year == 1900")
