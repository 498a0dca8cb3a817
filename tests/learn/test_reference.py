"""How far a photograph is from everything that a model was fitted on."""

import hashlib

import numpy as np
import pytest
from fitting_samples import features_of, flat, make_features

from embed import learn
from embed.errors import ModelError
from embed.files import read_document, write_document
from embed.learn import FitOptions
from embed.learn.reference import FEWEST_ROWS, MOST_ROWS, MOST_VALUES, draw


def drawn(X, keys=None, seed=0):
    keys = np.array([f"content {i}" for i in range(len(X))] if keys is None else keys, dtype=object)
    return draw(lambda rows: X[rows], np.arange(len(X)), keys, X.shape[1], seed)


def test_the_similarity_is_the_greatest_cosine_to_a_photograph_of_the_sample():
    sample = drawn(np.array([[2, 0, 0], [0, 3, 0]], np.float32))
    X = np.array([[5, 0, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]], np.float32)
    assert sample.similarity(X) == pytest.approx([1, 0.5**0.5, 0, 0], abs=1e-3)
    assert sample.similarity(X[:0]).shape == (0,)


def test_a_hundredth_of_the_sample_is_as_far_from_the_others_as_what_is_told_to_be_unlike():
    random = np.random.default_rng(0)
    X = random.random((1_500, 16)).astype(np.float32)
    sample = drawn(X[:1_000])
    told = sample.similarity(X[1_000:]) < sample.least_similarity
    assert 0 < told.mean() < 0.05
    assert (sample.similarity(-X) < sample.least_similarity).all()


def test_copies_and_photographs_of_one_group_do_not_make_the_others_unusual():
    X = np.repeat(np.random.default_rng(0).random((50, 16)), 2, axis=0).astype(np.float32)
    keys = [f"group {i // 2}" for i in range(100)]
    assert drawn(X).least_similarity == pytest.approx(1, abs=1e-3)
    assert drawn(X, keys).least_similarity == pytest.approx(drawn(X[::2]).least_similarity, abs=0.01)
    assert drawn(X, ["one content"] * 100) is None


def test_a_sample_has_its_limits_and_is_drawn_by_content():
    X = np.random.default_rng(0).random((MOST_ROWS + 50, 8)).astype(np.float32)
    sample = drawn(X)
    assert len(sample.rows) == MOST_ROWS
    assert np.array_equal(sample.rows, drawn(X).rows) and not np.array_equal(
        sample.rows, drawn(X, seed=1).rows
    )
    long = np.ones((FEWEST_ROWS + 1, MOST_VALUES // 10), np.float32)
    assert len(drawn(long).rows) == FEWEST_ROWS


# ---------------------------------------------------------------------- kept with a model


@pytest.fixture
def features(tmp_path):
    return make_features(tmp_path, flat(20))


@pytest.mark.parametrize("classifier", ["logistic", "dummy"])
def test_a_model_knows_what_it_was_fitted_on(features, classifier):
    model = learn.fit(features, FitOptions(classifier=classifier)).model
    stored = learn.load(features)
    assert len(stored.reference.rows) == model.document["n_fitted"] < 60
    assert not stored.unlike(features.X).all()
    assert stored.unlike(-features.X).all()
    assert np.array_equal(stored.similarity(features.X), model.reference.similarity(features.X))
    with pytest.raises(ModelError, match="takes features of 24 values, not of 5"):
        stored.unlike(features.X[:, :5])


def test_the_sample_is_of_the_photographs_that_were_fitted_on_alone(tmp_path):
    paths = [*flat(20, ("train/ants", "train/bees")), *flat(5, ("test/ants", "test/bees"))]
    X = features_of(paths)
    scored = np.array([path.startswith("test/") for path in paths])
    X[scored] *= -1
    features = make_features(tmp_path, paths, X)
    model = learn.fit(features, FitOptions(classifier="dummy")).model
    assert model.unlike(features.X).tolist()[:10] == [True] * 10  # test comes first by path


def test_a_model_without_a_sample_still_predicts(features):
    model = learn.fit(features).model
    document = read_document(model.folder / "model.json")
    del document["reference"]
    write_document(model.folder, "model.json", document)
    old = learn.load(features)
    assert old.reference is None and old.predict(features.X).shape == (60,)
    with pytest.raises(ModelError, match="does not know what it was fitted on"):
        old.unlike(features.X)


@pytest.mark.parametrize("damage", ["values", "limit", "length"])
def test_a_sample_that_is_none_is_told(features, damage):
    model = learn.fit(features, FitOptions(classifier="dummy")).model
    rows = model.reference.rows.copy()
    rows[0, 0] = np.nan if damage == "values" else 0
    data = rows.tobytes()[: -2 if damage == "length" else None]
    document = read_document(model.folder / "model.json")
    digest = hashlib.sha256(data).hexdigest()
    (model.folder / f"reference-{digest[:16]}.f16").write_bytes(data)
    document["reference"] = {
        "file": f"reference-{digest[:16]}.f16",
        "sha256": digest,
        "least_similarity": "high" if damage == "limit" else 0.5,
    }
    write_document(model.folder, "model.json", document)
    with pytest.raises(ModelError, match=r"reference-[0-9a-f]{16}\.f16 is damaged; run `embed fit` again"):
        learn.load(features).unlike(features.X)
