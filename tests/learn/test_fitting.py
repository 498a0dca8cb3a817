"""From a feature set to an honest number, a model on disk, and predictions."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from fitting_samples import features_of, flat, make_features, with_splits

from embed import learn as fitting
from embed.cache import open_features
from embed.errors import LabelError, ModelError, UsageError
from embed.files import read_document, write_document
from embed.labels import assign
from embed.learn import FitOptions, splits
from embed.learn.models import FILES

# ---------------------------------------------------------------------- fitting


def test_the_number_is_about_the_held_out_photographs_and_survives_the_disk(tmp_path):
    features = make_features(tmp_path, flat())
    fitted = fitting.fit(features, FitOptions(classifier="logistic"))
    summary = fitted.summary()
    assert summary["evaluated_on"] == "validation"
    assert summary["n_train"] + summary["n_validation"] == 90 and summary["n_test"] == 0
    assert summary["accuracy"] > 0.8 > summary["baseline_accuracy"]
    low, high = summary["accuracy_interval"]
    assert low <= summary["accuracy"] <= high
    again = fitting.load(features).evaluation()
    assert again.summary() == fitted.evaluation.summary()
    assert np.array_equal(again.probabilities, fitted.evaluation.probabilities)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_the_same_command_gives_the_same_model_to_the_last_bit(tmp_path):
    features = make_features(tmp_path, flat())
    for options in (FitOptions(classifier="dense", head={"epochs": 8}), FitOptions(classifier="svm")):
        first = fitting.fit(features, options).model
        expected = first.predict_proba(features.X)
        second = fitting.fit(features, options).model
        assert first.document["scored"] == second.document["scored"]
        assert np.array_equal(second.predict_proba(features.X), expected)
        # The archive of Keras holds the time; the files of the model before stay until the next fit.
        entries = [
            model.document[what] for model in (first, second) for what in FILES if what in model.document
        ]
        kept = {"model.json", *(entry["file"] for entry in entries)}
        assert {file.name for file in second.folder.iterdir()} == kept


def _rows_of(head):
    """Rows that a head of neighbours was fitted on."""
    (calibrated,) = head.named_steps["classifier"].calibrated_classifiers_
    return calibrated.estimator.n_samples_fit_


def test_test_is_looked_at_by_a_head_fitted_on_train_and_validation(tmp_path):
    features = make_features(tmp_path, with_splits())
    fitted = fitting.fit(features, FitOptions(classifier="knn"))
    assert fitted.summary()["evaluated_on"] == "test" and len(fitted.evaluation) == 30
    assert _rows_of(fitted.model.head) == 120 == fitted.summary()["n_fitted"]
    assert len(fitted.validation) == 30
    assert fitted.model.evaluation("validation").accuracy == fitted.validation.accuracy


def test_choices_do_not_depend_on_the_test_photographs(tmp_path):
    paths = with_splits()
    X = features_of(paths)
    shuffled = X.copy()
    test = [i for i, path in enumerate(paths) if path.startswith("test")]
    shuffled[test] = np.random.default_rng(9).permutation(X[test])
    for head, of_head in (("logistic", {}), ("dense", {"epochs": 8})):
        (tmp_path / head).mkdir()
        documents = []
        for name, rows in (("a", X), ("b", shuffled)):
            (tmp_path / head / name).mkdir()
            features = make_features(tmp_path / head / name, paths, rows)
            documents.append(fitting.fit(features, FitOptions(classifier=head, head=of_head)).model.document)
        assert documents[0]["chosen"] == documents[1]["chosen"]
        assert documents[0]["learning_curve"] == documents[1]["learning_curve"]
        assert documents[0]["metrics"]["accuracy"] != documents[1]["metrics"]["accuracy"]


def test_cross_validation_scores_every_photograph_once(tmp_path):
    features = make_features(tmp_path, with_splits())
    fitted = fitting.fit(features, FitOptions(cv=4, classifier="linear-svm"))
    assert fitted.summary()["evaluated_on"] == "4-fold cross-validation"
    assert len(fitted.evaluation) == len(set(fitted.evaluation.paths)) == 120
    assert not any(path.startswith("test") for path in fitted.evaluation.paths)


def test_a_threshold_is_tuned_without_the_scored_photographs(tmp_path):
    paths = with_splits((40, 30, 30), ("ants", "bees"))
    features = make_features(tmp_path, paths, features_of(paths, noise=1.2))
    fitted = fitting.fit(features, FitOptions(threshold="auto"))
    from embed.learn.evaluation import best_threshold

    validation = fitted.validation
    assert fitted.model.threshold == best_threshold(validation)
    fixed = fitting.fit(features, FitOptions(threshold="0.85"))
    assert fixed.model.threshold == 0.85
    second = fixed.evaluation.probabilities[:, 1] >= 0.85
    assert np.array_equal(fixed.evaluation.predicted == 1, second)
    assert np.array_equal(fixed.model.predict(features.rows([0, 1])) == "bees",
                          fixed.model.predict_proba(features.rows([0, 1]))[:, 1] >= 0.85)  # fmt: skip
    for wrong in ("1.5", "high"):
        with pytest.raises(UsageError, match="threshold must"):
            fitting.fit(features, FitOptions(threshold=wrong))


def test_a_threshold_is_not_tuned_on_validation_where_that_is_scored(tmp_path):
    paths = with_splits((40, 30, 0), ("ants", "bees"))
    fitted = fitting.fit(
        make_features(tmp_path, paths, features_of(paths, noise=1.2)), FitOptions(threshold="auto")
    )
    from embed.learn.evaluation import best_threshold
    from embed.learn.trainer import Trainer

    features = open_features(tmp_path / "cache")
    labelled = assign(paths)
    split = splits.divide(labelled, features.sha256)
    answers = Trainer(features, labelled, FitOptions()).out_of_fold(split.train)
    assert fitted.model.threshold == best_threshold(answers)
    assert set(answers.paths).isdisjoint(fitted.evaluation.paths)


def test_a_view_keeps_the_label_and_the_fold_of_its_photograph(tmp_path):
    from embed.learn.trainer import Trainer

    paths = flat(4)
    X = features_of(paths)
    views = X[:, None] + np.arange(1, 3, dtype=np.float32)[:, None]
    features = make_features(tmp_path, paths, X, views=views)
    positions = np.array([0, 5, 9])
    rows, y, photograph = Trainer(features, assign(paths), FitOptions()).rows(positions)
    assert y.tolist() == [paths[positions[i]].split("/")[0] for i in photograph]
    seen = [np.concatenate([X[[i]], views[i]]) for i in positions]
    assert all(np.array_equal(rows[photograph == i], seen[i]) for i in range(3))


def test_views_train_and_the_plain_photograph_is_scored(tmp_path):
    paths = flat(20)
    X = features_of(paths)
    views = np.repeat(X[:, None], 2, axis=1) + np.float32(0.01)
    features = make_features(tmp_path, paths, X, views=views)
    fitted = fitting.fit(features, FitOptions(classifier="knn"))
    assert _rows_of(fitted.model.head) == 3 * fitted.summary()["n_train"]
    assert len(fitted.evaluation) == fitted.summary()["n_validation"]


def test_what_a_user_should_know_is_noted(tmp_path):
    paths = [*with_splits((20, 0, 6)), "stray.jpg", "test/moths/1.jpg"]
    X = features_of([path if path != "stray.jpg" else "ants/x.jpg" for path in paths])
    twin, original = paths.index("test/ants/003.jpg"), paths.index("train/ants/004.jpg")
    X[twin] = X[original]
    fitted = fitting.fit(make_features(tmp_path, paths, X), FitOptions(group=r"regex:/(\d+)\.jpg"))
    notes = "\n".join(fitted.notes)
    assert "1 photograph has no label" in notes and "stray.jpg" in notes
    assert "test/ants/003.jpg and train/ants/004.jpg" in notes
    assert "never trained on, so always wrong: moths" in notes
    assert "groups lie in the folders of both sides" in notes
    assert "too few to say how good this is" in notes and "--" not in notes  # they are read on pages too


def test_two_photographs_of_each_class_are_enough_to_fit(tmp_path):
    features = make_features(tmp_path, flat(2, ("ants", "bees")))
    for head in ("logistic", "svm", "dense", "knn", "dummy"):
        fitted = fitting.fit(features, FitOptions(classifier=head))
        assert fitted.summary()["n_train"] == 2
        assert any("too few" in note for note in fitted.notes)


# ---------------------------------------------------------------------- models


def test_a_model_refuses_features_of_another_recipe(tmp_path):
    features = make_features(tmp_path, flat())
    fitting.fit(features)
    folder = features.folder / "models" / "logistic"
    document = read_document(folder / "model.json")
    write_document(folder, "model.json", {**document, "recipe_hash": "0" * 64})
    with pytest.raises(ModelError, match="another recipe"):
        fitting.load(features)


def test_the_model_fitted_last_is_loaded_and_others_by_name(tmp_path):
    features = make_features(tmp_path, flat())
    with pytest.raises(ModelError, match="run `embed fit`"):
        fitting.load(features)
    fitting.fit(features, FitOptions(classifier="knn", name="first"))
    fitting.fit(features, FitOptions(classifier="dummy"))
    assert fitting.load(features).name == "dummy"
    assert fitting.load(features, "first").document["classifier"] == "knn"
    with pytest.raises(ModelError, match="no model 'third'; there is dummy, first"):
        fitting.load(features, "third")
    with pytest.raises(UsageError, match="cannot name a model"):
        fitting.fit(features, FitOptions(name="../outside"))


def test_a_damaged_model_is_told(tmp_path):
    features = make_features(tmp_path, flat())
    model = fitting.fit(features).model
    head = model.folder / model.document["head"]["file"]
    data = bytearray(head.read_bytes())
    data[len(data) // 2] ^= 1
    head.write_bytes(data)
    with pytest.raises(ModelError, match="damaged"):
        _ = fitting.load(features).head
    head.unlink()
    with pytest.raises(ModelError, match="No such file"):
        _ = fitting.load(features).head
    (model.folder / "model.json").write_text("{")
    with pytest.raises(ModelError, match="damaged"):
        fitting.load(features, "logistic")


# ---------------------------------------------------------------------- comparison


def test_heads_and_feature_sets_are_compared_on_the_same_folds(tmp_path):
    paths = flat(20)
    make_features(tmp_path, paths, features_of(paths, noise=1.5), layer="early")
    make_features(tmp_path, flat(20, ("x", "y")), dataset="other")
    features = make_features(tmp_path, paths)
    from embed.cache import FeatureCache, list_features

    every = [FeatureCache.open(found) for found in list_features(tmp_path / "cache")]
    same = fitting.same_photographs(features, every)
    assert len(same) == 2 and same[0].name == features.name
    rows = list(fitting.compare(same, ["logistic", "dummy"], FitOptions(cv=3)))
    assert [(row.features, row.classifier) for row in rows] == [
        (each.name, head) for each in same for head in ("logistic", "dummy")
    ]
    assert rows[0].accuracy > 0.6 > rows[1].accuracy
    assert all(row.n == 60 and row.low <= row.accuracy <= row.high for row in rows)


@pytest.mark.parametrize(("sizes", "n"), [((20, 0, 6), 60), ((20, 6, 0), 60), ((20, 6, 6), 78)])
def test_a_comparison_leaves_alone_what_a_fit_is_scored_on(tmp_path, sizes, n):
    features = make_features(tmp_path, with_splits(sizes))
    (row,) = fitting.compare([features], ["dummy"])
    assert row.n == n
    assert len(fitting.fit(features, FitOptions(classifier="dummy")).evaluation) == 18


def test_a_learning_curve_grows_with_the_photographs_of_each_class(tmp_path):
    paths = with_splits((25, 0, 5))
    features = make_features(tmp_path, paths, features_of(paths, noise=0.8))
    rows = list(fitting.learning_curve(features, ["logistic"]))
    assert [row.per_class for row in rows] == [2, 5, 10, 20, None]
    assert rows[-1].accuracy > rows[0].accuracy
    assert rows[0].n < 75  # a share of train: test is not looked at


# ---------------------------------------------------------------------- the commands


def test_fit_prints_one_json_document_of_the_agreed_shape(run_embed, tmp_path):
    make_features(tmp_path, with_splits())
    done = run_embed("fit", "--clf", "svm", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    keys = "model classifier classes n_train n_validation n_test accuracy accuracy_interval baseline_accuracy"
    assert {*keys.split(), "evaluated_on", "seconds"} <= document.keys()
    assert Path(tmp_path, document["model"], "model.json").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "part"),
    [
        (["fit", "--labels", "regex:(["], 2, "no regular expression"),
        (["fit", "--threshold", "0.7"], 2, "two classes; there are 3"),
        (["fit", "--clf", "forest"], 2, "no classifier 'forest'"),
        (["fit", "--hidden", "10"], 2, "--hidden is for --clf dense"),
        (["predict", "x.jpg"], 1, "run `embed fit`"),
        (["fit", "--labels", "csv:nowhere.csv"], 1, "No such file"),
    ],
)
def test_what_cannot_work_is_one_sentence(tmp_path, monkeypatch, capsys, arguments, code, part):
    from embed.cli import main

    make_features(tmp_path, flat(4))
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == code
    error = capsys.readouterr().err
    assert part in error and "Traceback" not in error


def test_fit_before_extract_is_told(tmp_path, monkeypatch, capsys):
    from embed.cli import main

    monkeypatch.chdir(tmp_path)
    assert main(["fit"]) == 1
    assert "embed extract" in capsys.readouterr().err


def test_the_tables_of_fit_and_compare_reach_a_terminal_and_a_pipe(tmp_path, monkeypatch, capsys):
    from embed.cli import main

    paths = with_splits((20, 10, 10), ("ants", "bees"))
    make_features(tmp_path, paths, features_of(paths, noise=1.3))
    monkeypatch.chdir(tmp_path)
    assert main(["fit", "--threshold", "auto", "--balanced"]) == 0
    shown = capsys.readouterr().out
    for word in ("baseline", "95 % interval", "true \\ predicted", "threshold", "ROC AUC", "models/logistic"):
        assert word in shown
    assert main(["compare", "--clf", "knn", "--clf", "dummy", "--cv", "2", "--csv"]) == 0
    assert capsys.readouterr().out.splitlines()[0].startswith("features,classifier,n,accuracy")
    assert main(["compare", "--learning-curve", "--clf", "knn", "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["per_class"] == 2


def test_fitting_and_predicting_import_no_network_and_help_no_library_of_classifiers(tmp_path):
    from embed import demo

    demo.draw(tmp_path / "pictures", train=3, test=1)
    code = (
        "import sys; from embed.cli import main; main(sys.argv[1:]);"
        "print([m for m in ('tensorflow', 'keras', 'faiss', 'torch', 'sklearn', 'skops') if m in sys.modules])"
    )

    def imported(*arguments):
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()[-1]

    imported("extract", "pictures", "--backbone", "tiny")
    assert imported("fit") == "['sklearn', 'skops']"
    imported("fit", "--clf", "dense", "--epochs", "2")
    assert imported("predict", "pictures/test/fish/fish-000.jpg") == "['sklearn', 'skops']"
    assert imported("fit", "--help") == imported("info") == "[]"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--clf", "dense", "--dropout", "1"], "--dropout must be at least 0 and below 1, not 1"),
        (["--clf", "forest"], "no classifier 'forest'"),
        (["--clf", "os.path.join"], "no installed package 'os'"),
        (["--clf", "numpy.array"], "numpy.array is no class of classifiers"),
        (["--clf", "sklearn.ensemble.Forest"], "no classifier 'sklearn.ensemble.Forest'"),
        (["--clf", "sklearn.linear_model.Ridge"], "Ridge is no scikit-learn classifier"),
        (["--clf", "sklearn.svm.SVC", "--set", "depth=3"], "cannot be made with these parameters"),
        (["--clf", "sklearn.svm.SVC", "--set", "C"], "--set takes NAME=VALUE"),
        (["--clf", "sklearn.svm.SVC", "--set", "C=-1"], "the classifier SVC cannot be fitted"),
        (["--set", "C=many"], "C must be a number"),
    ],
)
def test_a_classifier_that_cannot_be_is_one_sentence(tmp_path, monkeypatch, capsys, arguments, part):
    from embed.cli import main

    make_features(tmp_path, flat(6))
    monkeypatch.chdir(tmp_path)
    assert main(["fit", *arguments]) == 2
    error = capsys.readouterr().err
    assert part in error and "Traceback" not in error


def test_a_typo_in_the_classifier_is_told_before_anything_is_opened(tmp_path, monkeypatch, capsys):
    from embed.cli import main

    monkeypatch.chdir(tmp_path)
    for command in ("fit", "compare"):
        assert main([command, "--clf", "logistik"]) == 2
        assert "no classifier 'logistik'; use logistic" in capsys.readouterr().err


def test_folds_without_a_class_to_train_on_are_told(tmp_path):
    features = make_features(tmp_path, [*flat(6, ("ants",)), "bees/0.jpg"])
    with pytest.raises(LabelError, match="no photograph of 'bees' to train on"):
        fitting.fit(features, FitOptions(cv=2))


def test_any_classifier_of_an_installed_package_is_fitted_by_the_same_protocol(tmp_path):
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.svm import LinearSVC

    features = make_features(tmp_path, with_splits())
    given = fitting.fit(features, FitOptions(classifier=RandomForestClassifier(20)))
    assert given.model.name == "RandomForestClassifier" and len(given.evaluation) == 30
    place, own = "sklearn.ensemble.RandomForestClassifier", {"n_estimators": 20}
    named = fitting.fit(features, FitOptions(classifier=place, head=own, name="named"))
    assert np.array_equal(named.evaluation.probabilities, given.evaluation.probabilities)
    assert named.summary()["accuracy"] > 0.8 > named.summary()["baseline_accuracy"]
    assert np.array_equal(
        fitting.load(features, "named").predict_proba(features.X), given.model.predict_proba(features.X)
    )
    without = fitting.fit(features, FitOptions(classifier=LinearSVC(), cv=3))
    assert np.allclose(without.evaluation.probabilities.sum(axis=1), 1)
    with pytest.raises(UsageError, match="no class_weight"):
        fitting.fit(features, FitOptions(classifier="sklearn.naive_bayes.GaussianNB", balanced=True))


def test_a_classifier_of_the_working_folder_is_not_imported(tmp_path):
    make_features(tmp_path, flat(6))
    body = "open('it ran', 'w').close()\nfrom sklearn.svm import SVC\n"
    for name in ("mine", "lightgbm_like"):
        (tmp_path / f"{name}.py").write_text(body)
    (tmp_path / "skops.py").write_text(body)
    for place in ("mine.SVC", "skops.SVC"):
        command = [
            sys.executable,
            "-c",
            "from embed.cli import main; raise SystemExit(main())",
            "fit",
            "--clf",
            place,
        ]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert not (tmp_path / "it ran").exists()


def test_the_top_losses_are_wrong_answers(tmp_path):
    features = make_features(tmp_path, flat(20))
    losses = fitting.fit(features, FitOptions(classifier="dummy")).evaluation.top_losses()
    assert len(losses) and (losses["label"] != losses["predicted"]).all()


def test_flattened_and_augmented_features_are_fitted_and_predicted_by_command(tmp_path, run_embed):
    from embed import demo
    from embed.cache import open_features
    from embed.learn import load

    demo.draw(tmp_path / "pictures", train=4, test=1)
    options = ("--backbone", "tiny", "--pooling", "flatten", "--views", "3")
    run_embed("extract", "pictures", *options, check=True)
    run_embed("fit", "--clf", "logistic", check=True)
    features = open_features(tmp_path / "cache")
    assert features.X.shape == (30, 7 * 7 * 512)
    row = features.paths.tolist().index("test/fish/fish-000.jpg")
    seen = np.concatenate([features.rows([row]), features.view_rows([row])[0]])
    expected = load(features).predict_proba(seen)
    photograph = "pictures/test/fish/fish-000.jpg"
    for arguments, probabilities in ((["--views"], expected.mean(axis=0)), ([], expected[0])):
        (answer,) = json.loads(run_embed("predict", photograph, *arguments, "--json", check=True).stdout)
        assert list(answer["probabilities"].values()) == pytest.approx(probabilities.tolist(), rel=1e-4)


@pytest.mark.parametrize(
    ("options", "stages"),
    [
        ({}, ["reading features", "choosing root", "choosing C", "fitting", "scoring"]),
        ({"classifier": "dense", "head": {"epochs": 2}}, ["fitting, epoch 1", "fitting, epoch 2"]),
        ({"cv": 2, "classifier": "dummy"}, ["fold 1 of 2, fitting", "fold 2 of 2, fitting"]),
    ],
)
def test_a_fit_tells_what_it_does(tmp_path, options, stages):
    told = []
    features = make_features(tmp_path, with_splits((12, 4, 4)))
    fitting.fit(features, FitOptions(**options), lambda what, done, total: told.append(what))
    places = [told.index(stage) for stage in stages]
    assert places == sorted(places)


def test_the_search_for_label_issues_tells_how_far_it_is(tmp_path):
    told = []
    fitting.mislabelled(make_features(tmp_path, flat(10)), progress=lambda *told_of: told.append(told_of))
    assert told == [("judging the labels", k, 15) for k in range(16)]
