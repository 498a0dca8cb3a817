"""Models on disk: whole through races and damage, readable without this project, and harmless whoever made them."""

import hashlib
import io
import json
import math
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from fitting_samples import flat, make_features, with_splits
from sklearn.naive_bayes import GaussianNB

from embed import labels, learn
from embed.cache import FeatureSet, verify
from embed.errors import CacheError, ModelError, UsageError
from embed.files import read_document, write_document
from embed.learn import TRUSTED, FitOptions, Model, saving

ALONE = Path(__file__).parents[1] / "support" / "take_home.py"


@pytest.fixture
def features(tmp_path):
    return make_features(tmp_path, with_splits((12, 0, 4)))


def fit(features, classifier="logistic", **options):
    return learn.fit(features, FitOptions(classifier=classifier, **options)).model


def rewritten(model, what, data):
    """Put other content in the place of a file of a model, as somebody does who knows the format."""
    digest = hashlib.sha256(data).hexdigest()
    name = f"head-{digest[:16]}.skops" if what == "head" else f"scored-{digest[:16]}.csv"
    (model.folder / name).write_bytes(data)
    redirect(model, what, file=name, sha256=digest)


def redirect(model, what, **entry):
    document = read_document(model.folder / "model.json")
    write_document(model.folder, "model.json", {**document, what: {**document[what], **entry}})


# ---------------------------------------------------------------------- taken home


def test_models_predict_where_this_project_is_not_installed(features, tmp_path):
    models = [fit(features, head) for head in ("logistic", "linear-svm", "svm", "knn", "dummy")]
    taken = [model.folder / model.document["head"]["file"] for model in models]
    for model, predicted in zip(models, at_home(taken, features.X, tmp_path), strict=True):
        assert predicted == pytest.approx(model.predict_proba(features.X), abs=1e-12)


def test_a_dense_model_is_taken_home_for_scikit_learn_and_for_keras(features, tmp_path):
    model = fit(features, "dense", head={"epochs": 3})
    taken = [model.folder / model.document[what]["file"] for what in ("head", "keras")]
    for predicted in at_home(taken, features.X, tmp_path):
        assert predicted == pytest.approx(model.predict_proba(features.X), abs=1e-5)


def at_home(files, X, folder):
    """Return what a program without this project predicts from files of models and exported features."""
    np.save(folder / "X.npy", X)
    command = [sys.executable, "-P", str(ALONE), "X.npy", ",".join(TRUSTED), *map(str, files)]
    away = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env=away, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [np.load(folder / f"{number}.npy") for number in range(len(files))]


# ---------------------------------------------------------------------- whole or told


def test_two_fits_of_one_name_at_once_leave_one_whole_model(features):
    code = (
        "import sys; from pathlib import Path; from embed import learn; from embed.cache import open_features;"
        "features = open_features(Path(sys.argv[1]));"
        "[learn.fit(features, learn.FitOptions(classifier=sys.argv[2], name='m')) for _ in range(6)]"
    )
    cache = str(features.folder.parent)
    fits = [subprocess.Popen([sys.executable, "-c", code, cache, head]) for head in ("dummy", "logistic")]
    while any(process.poll() is None for process in fits):
        folder = features.folder / "models" / "m"
        if (folder / "model.json").exists():
            read_document(folder / "model.json")
    assert [process.returncode for process in fits] == [0, 0]
    model = learn.load(features, "m")
    assert model.predict_proba(features.X).shape == (len(features), 3) and len(model.evaluation())
    # Three files each of it and of the one before, which somebody may be reading.
    assert 4 <= len(list(model.folder.iterdir())) <= 7


def test_a_model_that_was_opened_answers_after_it_was_replaced_and_goes_with_the_next(features):
    opened = fit(features, "dummy", name="m")
    fit(features, "logistic", name="m")
    again = Model(opened.folder, opened.document)  # what of it was read is not remembered
    assert again.predict_proba(features.X).shape == (len(features), 3) and len(again.evaluation())
    last = fit(features, "knn", name="m")
    assert not (opened.folder / opened.document["head"]["file"]).exists()
    assert last.predict_proba(features.X).shape == (len(features), 3)


def test_what_a_killed_fit_left_is_swept_by_the_next_one(features):
    folder = fit(features, "dummy").folder
    (folder / ".tmp-elsewhere-1-0").write_bytes(b"half")
    fit(features, "dummy")
    assert not list(folder.glob(".tmp-*"))


@pytest.mark.parametrize("place", [b'"format"', b'"ants"', b'"serial"', b'"sha256"'])
def test_a_flipped_bit_is_told_and_no_older_model_answers(features, place):
    fit(features, "dummy")
    file = fit(features, "logistic").folder / "model.json"
    data = bytearray(file.read_bytes())
    data[data.index(place) + 2] ^= 1
    file.write_bytes(data)
    for name in (None, "logistic"):
        with pytest.raises(ModelError, match=r"model\.json is damaged"):
            learn.load(features, name)
    assert learn.load(features, "dummy").name == "dummy"


# ---------------------------------------------------------------------- from a stranger


def test_a_model_of_a_stranger_leads_to_no_file_elsewhere(features, tmp_path):
    model = fit(features, "dummy")
    secret = tmp_path / "secret"
    secret.write_text("never read")
    for name in ("../../../../secret", str(secret), "head-0/../x.skops", 7, None):
        redirect(model, "head", file=name)
        with pytest.raises(ModelError, match="names no file of a model"):
            _ = learn.load(features, "dummy").head


def test_a_pipe_or_a_device_in_the_place_of_a_file_is_not_waited_for(features):
    model = fit(features, "dummy")
    head = model.folder / model.document["head"]["file"]
    for make in (
        lambda: os.mkfifo(head),
        lambda: head.symlink_to("/dev/zero"),
        lambda: os.truncate(_new(head), 3 << 40),
    ):
        head.unlink()
        make()
        with pytest.raises(ModelError, match=r"no ordinary file|more than it can have"):
            _ = learn.load(features, "dummy").head
    document = model.folder / "model.json"
    document.unlink()
    os.mkfifo(document)
    with pytest.raises(ModelError, match="no ordinary file"):
        learn.load(features)


def _new(file):
    file.touch()
    return file


@pytest.mark.parametrize("inner", [False, True], ids=["archive", "sparse matrix"])
def test_an_archive_that_unpacks_to_gigabytes_is_refused_unread(features, monkeypatch, inner):
    model = fit(features, "dummy")
    monkeypatch.setattr(saving, "MOST_UNPACKED", 1 << 20)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.npy", bytes(64 << 20))
    if inner:
        outer = io.BytesIO()
        with zipfile.ZipFile(outer, "w") as archive:
            archive.writestr("0.npz", bomb.getvalue())
        bomb = outer
    for name in ("loads", "get_untrusted_types"):
        monkeypatch.setattr(f"skops.io.{name}", lambda *_, **__: pytest.fail("it was unpacked"))
    rewritten(model, "head", bomb.getvalue())
    with pytest.raises(ModelError, match="damaged or no model"):
        _ = learn.load(features, "dummy").head


@pytest.mark.parametrize("data", [b"", b"no archive", b"PK\x03\x04 half of one"])
def test_content_that_is_no_head_is_told(features, data):
    model = fit(features, "dummy")
    rewritten(model, "head", data)
    with pytest.raises(ModelError, match="damaged or no model"):
        _ = learn.load(features, "dummy").head


def test_a_schema_without_end_or_sense_is_told(features):
    model = fit(features, "dummy")
    for schema in (
        "[" * 100_000,
        '{"__loader__": "nothing"}',
        "{}",
        '{"__class__": 3}',
        '{"a":' * 5_000 + "1" + "}" * 5_000,
    ):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as archive:
            archive.writestr("schema.json", schema)
        rewritten(model, "head", stream.getvalue())
        with pytest.raises(ModelError):
            _ = learn.load(features, "dummy").head


def test_deep_or_foreign_json_is_told(features):
    model = fit(features, "dummy")
    file = model.folder / "model.json"
    for text in (
        "[" * 200_000,
        "[]",
        "7",
        '{"format": "embed model", "format_version": 1}',
        '{"format": "embed model"}',
    ):
        file.write_text(text)
        with pytest.raises(ModelError, match="run `embed fit`"):
            learn.load(features)


def test_answers_that_make_no_sense_are_told(features):
    model = fit(features, "dummy")
    role = model.document["evaluated_on"]
    for line in (f"x.jpg,ants,{role},1", f"x.jpg,ants,{role},a,b,c", f'"{"x" * 200_000}",ants,{role},1,0,0'):
        rewritten(model, "scored", f"path,label,role\n{line}\n".encode())
        with pytest.raises(ModelError, match="damaged"):
            learn.load(features, "dummy").evaluation()


@pytest.mark.parametrize("right", [0o020, 0o002])
@pytest.mark.parametrize("what", ["model.json", "head", "folder", "models"])
def test_a_model_that_others_may_write_to_is_refused_and_chmod_helps(features, monkeypatch, what, right):
    model = fit(features, "dummy")
    path = {
        "model.json": model.folder / "model.json",
        "head": model.folder / model.document["head"]["file"],
        "folder": model.folder,
        "models": model.folder.parent,
    }[what]
    path.chmod(path.stat().st_mode | right)
    with monkeypatch.context() as patch:
        for name in ("loads", "get_untrusted_types"):
            patch.setattr(f"skops.io.{name}", lambda *_, **__: pytest.fail("it was read"))
        with pytest.raises(
            ModelError, match=r"others may write to it.*`chmod -R go-w .*models`.*`embed fit`"
        ):
            _ = learn.load(features, "dummy").head
    named = verify(FeatureSet(features.folder, features.meta)).damaged
    assert list(named) == ([] if what == "head" else ["models/dummy/model.json"])
    subprocess.run(["chmod", "-R", "go-w", model.folder.parent], check=True)
    assert learn.load(features, "dummy").predict_proba(features.X).shape == (len(features), 3)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_model_of_somebody_else_is_refused_but_not_one_of_the_caches_owner(features):
    model = fit(features, "dummy")
    for path in (model.folder, *model.folder.iterdir()):
        os.chown(path, 65534, 65534)
    with pytest.raises(ModelError, match="belongs to user 65534"):
        learn.load(features, "dummy")
    for path in (features.folder.parent, *features.folder.parent.rglob("*")):
        os.chown(path, 65534, 65534)
    assert learn.load(features, "dummy").predict_proba(features.X).shape == (len(features), 3)
    fit(features, "logistic")
    assert learn.load(features, "logistic").name == "logistic"


def test_a_model_is_closed_to_others_whatever_the_umask_and_fit_mends_its_folders(features):
    before = os.umask(0)
    try:
        folder = fit(features, "dummy").folder
        for path in (folder.parent, folder, folder / "model.json"):
            path.chmod(0o777)
        fit(features, "dummy")
    finally:
        os.umask(before)
    written = [folder.parent, folder, *folder.iterdir()]
    assert not [path for path in written if path.stat().st_mode & 0o022]
    assert learn.load(features, "dummy").predict_proba(features.X).shape == (len(features), 3)


def test_a_folder_of_models_that_leads_elsewhere_is_not_written_to(features, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (features.folder / "models").symlink_to(elsewhere)
    with pytest.raises(CacheError, match="models is a link"):
        fit(features, "dummy")
    assert not list(elsewhere.rglob("*.*"))


CANNOT_BE = {
    "serial": [10**400, "1", math.inf],
    "dimension": [0, -1, 10**12, 24.5, math.nan],
    "classes": [[], ["a", "a", "b"], ["a", 1, "b"], "abc", ["\ud800", "b", "c"]],
    "frequencies": [[], [1, 2], [1, 2, -3], [1, 2, math.nan], [1, 2, 10**400]],
    "threshold": [math.nan, math.inf, -0.1, 2.0, "x"],
    "metrics": [{"accuracy": "high"}, [], {"accuracy": {"a": 1}}],
    "learning_curve": [[1], [{"loss": "x"}], {"a": 1}],
    "notes": [[1], "x"],
    "seed": [1.5, "x", 10**400],
    "n_train": ["x", None],
    "cv": [[1]],
    "group": [7],
    "fingerprint": [None],
    "versions": [[]],
    "options": [[1]],
    "evaluated_on": [None],
    "labels": [["x"], "\ud800"],
}


@pytest.mark.parametrize("name", CANNOT_BE)
def test_a_document_that_says_what_cannot_be_is_told(features, name):
    file = fit(features, "dummy").folder / "model.json"
    document = read_document(file)
    for value in CANNOT_BE[name]:
        write_document(file.parent, file.name, {**document, name: value})
        with pytest.raises(
            ModelError, match=rf"lacks .*{name}.*, or says there what cannot be; run `embed fit` again"
        ):
            learn.load(features)
    del document[name]
    write_document(file.parent, file.name, document)
    with pytest.raises(ModelError, match=name):
        learn.load(features)


@pytest.mark.parametrize("options", [{"hidden": 7}, {"hidden": None}, {"nobody knows": 1}])
def test_options_that_cannot_be_are_told_where_it_is_fitted_again(features, options):
    file = fit(features, "logistic").folder / "model.json"
    document = {**read_document(file), "options": options, "versions": {"scikit-learn": "0.1"}}
    write_document(file.parent, file.name, document)
    with pytest.raises((ModelError, UsageError)):
        learn.load(features, notify=lambda _: None)


def test_a_table_of_endless_cells_is_not_taken_apart(features):
    model = fit(features, "dummy")
    role = model.document["evaluated_on"]
    for line in (
        "," * (1 << 24),
        f"x.jpg,ants,{role},nan,0,0",
        f"x.jpg,ants,{role},-1,1,1",
        f"x.jpg,ants,{role},1e9,0,0",
    ):
        rewritten(model, "scored", f"path,label,role\n{line}\n".encode())
        with pytest.raises(ModelError, match="damaged"):
            learn.load(features, "dummy").evaluation()


def test_a_schema_of_endless_values_is_not_read(features, monkeypatch):
    model = fit(features, "dummy")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("schema.json", "[" + "[]," * (3 << 20) + "[]]")
    monkeypatch.setattr("skops.io.get_untrusted_types", lambda *_, **__: pytest.fail("it was read"))
    rewritten(model, "head", stream.getvalue())
    with pytest.raises(ModelError, match="damaged or no model"):
        _ = learn.load(features, "dummy").head


def test_trees_are_walked_down_only_where_they_end(features, monkeypatch):
    """scikit-learn follows whatever a node says: in circles for ever, or out of its memory."""
    from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
    from sklearn.tree import DecisionTreeClassifier

    X, y = features.X, np.array(["a", "b"] * (len(features) // 2))
    forest = RandomForestClassifier(3, random_state=0).fit(X, y)
    boosted = HistGradientBoostingClassifier(max_iter=3, random_state=0, min_samples_leaf=2).fit(X, y)
    for whole in (forest, boosted, DecisionTreeClassifier(random_state=0).fit(X, y)):
        again = saving.loads(saving.dumps(whole), Path("head"))
        assert np.array_equal(again.predict_proba(X), whole.predict_proba(X))
    for field, value in (
        ("left_child", 0),
        ("right_child", 10**6),
        ("left_child", -7),
        ("feature", 10**6),
        ("feature", -2),
    ):
        tree = DecisionTreeClassifier(random_state=0).fit(X, y)
        state = tree.tree_.__getstate__()
        state["nodes"][field][0] = value
        tree.tree_.__setstate__(state)
        with pytest.raises(ModelError, match="damaged or no model"):
            saving.loads(saving.dumps(tree), Path("head"))
    for field, value in (("left", 0), ("right", 10**6), ("feature_idx", 10**6)):
        crafted = HistGradientBoostingClassifier(max_iter=1, random_state=0, min_samples_leaf=2).fit(X, y)
        crafted._predictors[0][0].nodes[field][0] = value
        with pytest.raises(ModelError, match="damaged or no model"):
            saving.loads(saving.dumps(crafted), Path("head"))


class Malice:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (Path.touch, (Path(self.marker),))


def test_a_head_of_a_type_that_is_not_trusted_is_not_loaded(features, tmp_path):
    from skops import io as skops

    model = fit(features, "dummy")
    marker = tmp_path / "it ran"
    head = model.head
    head.named_steps["classifier"].extra = Malice(marker)
    rewritten(model, "head", skops.dumps(head))
    with pytest.raises(ModelError, match=r"not trusted: .*Malice"):
        _ = learn.load(features, "dummy").head
    assert not marker.exists()
    pickled = io.BytesIO()
    np.save(pickled, np.array([Malice(marker)], dtype=object), allow_pickle=True)
    rewritten(model, "head", pickled.getvalue())
    with pytest.raises(ModelError):
        _ = learn.load(features, "dummy").head
    assert not marker.exists()


def test_a_head_that_is_not_the_one_described_is_told(features):
    model = fit(features, "dummy")
    head = model.head
    head.named_steps["classifier"].classes_ = np.array(["x", "y", "z"])
    rewritten(model, "head", saving.dumps(head))
    with pytest.raises(ModelError, match="not the classifier"):
        _ = learn.load(features, "dummy").head


def test_types_outside_the_list_are_kept_and_loaded_only_where_they_are_named(features):
    place = "sklearn.discriminant_analysis.LinearDiscriminantAnalysis"
    with pytest.raises(UsageError, match="types that are not trusted: "):
        learn.fit(features, FitOptions(classifier=_Wrapped(), name="own"))
    assert not (features.folder / "models" / "own").exists()
    trust = (f"{_Wrapped.__module__}.{_Wrapped.__qualname__}",)
    learn.fit(features, FitOptions(classifier=_Wrapped(), name="own", trust=trust))
    with pytest.raises(ModelError, match="not trusted"):
        _ = learn.load(features, "own").head
    assert learn.load(features, "own", trust=trust).predict_proba(features.X).shape == (len(features), 3)
    assert fit(features, place).head.classes_.tolist() == ["ants", "bees", "wasps"]


class _Wrapped(GaussianNB):
    """A classifier of the user's."""


# ---------------------------------------------------------------------- of another release


def test_what_another_release_fitted_is_fitted_again_with_its_options_and_that_is_told(features):
    model = fit(features, "knn", balanced=True, seed=3, head={"n_neighbors": 4})
    expected = model.predict_proba(features.X)
    document = read_document(model.folder / "model.json")
    document["versions"]["scikit-learn"] = "1.0"
    write_document(model.folder, "model.json", document)
    told = []
    again = learn.load(features, notify=told.append)
    assert told == [
        "The model knn was fitted by scikit-learn 1.0: it is fitted again, with the options that it was fitted with."
    ]
    assert (
        not again.outdated and again.document["balanced"] and again.document["options"] == {"n_neighbors": 4}
    )
    assert np.array_equal(again.predict_proba(features.X), expected)
    learn.load(features, notify=told.append)
    assert len(told) == 1


def test_a_model_of_the_first_format_is_fitted_again(features):
    model = fit(features, "logistic", head={"C": 2.0})
    document = read_document(model.folder / "model.json")
    del document["versions"]["scikit-learn"], document["n_fitted"]
    document.update(format_version=1, head={"file": "head-0123456789abcdef.npz", "sha256": "0" * 64})
    (model.folder / "head-0123456789abcdef.npz").write_bytes(b"an archive of arrays")
    (model.folder / "model.json").write_text(json.dumps(document, indent=2))
    with pytest.warns(UserWarning, match="was kept in an earlier format: it is fitted again"):
        again = learn.load(features)
    assert again.head.named_steps["classifier"].C == 2.0
    assert again.predict(features.X).shape == (len(features),)
    fit(features, "logistic")
    assert not list(model.folder.glob("*.npz"))


# ---------------------------------------------------------------------- of another meaning of its labels


@pytest.mark.parametrize("stored", [1, None])
def test_a_model_keeps_the_meaning_of_its_labels(tmp_path, stored):
    folders = ("training/ants", "training/bees", "testing/ants", "testing/bees")
    features = make_features(tmp_path, flat(8, folders))
    model = fit(features, labels_version=1)
    assert model.classes == ["testing", "training"]
    document = read_document(model.folder / "model.json")
    assert document["labels_version"] == 1
    if stored is None:  # as older models are
        del document["labels_version"]
    document["versions"]["scikit-learn"] = "1.0"
    write_document(model.folder, "model.json", document)
    again = learn.load(features, notify=lambda _: None)
    assert again.classes == ["testing", "training"] and again.labels_version == 1
    assert fit(features).classes == ["ants", "bees"]
    assert learn.load(features).labels_version == labels.RULE_VERSION


def test_a_version_that_is_no_number_is_told(features):
    model = fit(features, "dummy")
    document = read_document(model.folder / "model.json")
    write_document(model.folder, "model.json", {**document, "labels_version": "new"})
    with pytest.raises(ModelError, match="lacks labels_version"):
        learn.load(features)


def test_a_class_of_one_photograph_gives_a_model_too(tmp_path):
    paths = [*flat(9, ("ants", "bees")), "rare/0.jpg"]
    features = make_features(tmp_path, paths)
    for head in ("linear-svm", "logistic", "knn"):
        assert "rare" in fit(features, head).classes
