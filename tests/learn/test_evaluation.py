import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embed.errors import UsageError
from embed.learn.evaluation import Evaluation, best_threshold, decide, threshold_curve, wilson_interval


def answers(y, probabilities, classes=("a", "b"), frequencies=None, threshold=None):
    y = np.array(y, dtype=object)
    return Evaluation(
        classes=list(classes),
        y=y,
        probabilities=np.array(probabilities, float),
        paths=np.array([f"{i}.jpg" for i in range(len(y))], dtype=object),
        frequencies=np.array(frequencies if frequencies is not None else [1] * len(classes)),
        threshold=threshold,
    )


@pytest.mark.parametrize(
    ("correct", "n", "low", "high"),
    # Reference values of the textbook interval (Newcombe 1998, table I, method 3).
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_agrees_with_published_values(correct, n, low, high):
    assert wilson_interval(correct, n) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize("n", [1, 7, 12, 153, 10_000])
def test_wilson_interval_ends_at_zero_and_one_exactly(n):
    low, inside = wilson_interval(0, n)
    assert low == 0.0 < inside < 1
    inside, high = wilson_interval(n, n)
    assert 0 < inside < 1.0 == high


def test_wilson_interval_of_nothing_is_everything():
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_scores_worked_out_by_hand():
    e = answers(["a", "a", "a", "b"], [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]], frequencies=[3, 1])
    s = e.summary()
    assert s["accuracy"] == 0.75
    assert s["baseline_accuracy"] == 0.75
    assert s["balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)
    assert s["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)
    assert s["brier"] == pytest.approx(np.mean([0.01, 0.16, 0.64, 0.09]))
    assert s["log_loss"] == pytest.approx(-np.mean(np.log([0.9, 0.6, 0.2, 0.7])))
    assert s["roc_auc"] == pytest.approx(2 / 3)
    # confidences 0.9 and 0.6 were right, 0.8 wrong, 0.7 right, each alone in its bin
    assert s["calibration_error"] == pytest.approx((0.1 + 0.4 + 0.8 + 0.3) / 4)


def test_scores_agree_with_scikit_learn():
    from sklearn import metrics

    random = np.random.default_rng(0)
    p = random.dirichlet(np.ones(4), 200)
    p = np.maximum(np.round(p, 2), 0.01)  # ties
    p /= p.sum(axis=1, keepdims=True)
    y = random.choice(list("abcd"), 200)
    e = answers(y, p, "abcd")
    predicted = np.array(list("abcd"))[p.argmax(axis=1)]
    s = e.summary()
    assert s["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(y, predicted))
    assert s["macro_f1"] == pytest.approx(metrics.f1_score(y, predicted, average="macro"))
    assert s["log_loss"] == pytest.approx(metrics.log_loss(y, p))
    assert np.array_equal(e.confusion().to_numpy(), metrics.confusion_matrix(y, predicted))
    two = answers(np.where(y < "c", "a", "b"), np.stack([1 - p[:, 3], p[:, 3]], axis=1))
    assert two.roc_auc() == pytest.approx(metrics.roc_auc_score(y >= "c", p[:, 3]))
    assert two.brier() == pytest.approx(metrics.brier_score_loss(y >= "c", p[:, 3]))


def test_tables_name_what_went_wrong():
    e = answers(["a", "a", "b", "c"], [[0.9, 0.1, 0], [0.1, 0.9, 0], [0.5, 0.2, 0.3], [0, 1, 0]], "abc")
    assert e.most_confused().values.tolist() == [["b", "a", 1, 1.0], ["c", "b", 1, 1.0], ["a", "b", 1, 0.5]]
    assert e.top_losses(2)["path"].tolist() == ["3.jpg", "1.jpg"]
    assert np.isfinite(e.top_losses(1)["loss"]).all()
    table = e.per_class().set_index("class")
    assert table.loc["a", "recall"] == 0.5 and table.loc["c", "n"] == 1 and table.loc["b", "predicted"] == 2
    assert e.predictions().columns.tolist() == [
        "path", "label", "predicted", "probability", "loss", "p(a)", "p(b)", "p(c)",
    ]  # fmt: skip
    assert e.calibration()["n"].sum() == 4


def test_a_class_that_was_never_trained_on_is_always_wrong():
    e = answers(["a", "z"], [[0.9, 0.1], [0.9, 0.1]])
    assert e.accuracy == 0.5
    assert e.losses[1] > 10
    assert e.confusion().loc["z", "a"] == 1 and e.confusion_counts().sum() == 1
    s = e.summary()
    assert (s["n"], s["n_known"], s["balanced_accuracy"]) == (2, 1, 0.5)
    assert s["log_loss"] == pytest.approx(-np.log(0.9)) and s["roc_auc"] is None
    assert e.per_class().set_index("class").loc["a", "precision"] == 0.5
    nothing = answers(["z"], [[0.9, 0.1]]).summary()
    assert (
        nothing["accuracy"] == 0
        and nothing["log_loss"] is nothing["brier"] is nothing["calibration_error"] is None
    )


def test_a_threshold_moves_the_decision_of_two_classes_only():
    p = [[0.4, 0.6], [0.1, 0.9]]
    assert decide(np.array(p), 0.85).tolist() == [0, 1]
    assert answers(["a", "b"], p, threshold=0.85).accuracy == 1.0
    with pytest.raises(UsageError, match="two classes; there are 3"):
        decide(np.ones((1, 3)) / 3, 0.5)


def test_the_best_threshold_balances_the_classes():
    second = np.array([0.2, 0.55, 0.6, 0.7, 0.8, 0.95])
    true = np.array([0, 0, 0, 0, 1, 1])
    p = np.stack([1 - second, second], axis=1)
    assert best_threshold(answers(np.array(["a", "b"])[true], p)) == 0.71
    curve = threshold_curve(true, p, "ab").set_index("threshold")
    assert curve.loc[0.5, "recall(a)"] == 0.25 and curve.loc[0.5, "recall(b)"] == 1.0
    assert curve.loc[0.9, "accuracy"] == pytest.approx(5 / 6)


def test_few_photographs_are_called_vague():
    assert answers(["a"] * 5, [[0.9, 0.1]] * 5).is_vague
    assert not answers(["a"] * 500, [[0.9, 0.1]] * 500).is_vague


@st.composite
def random_answers(draw):
    """Answers with unknown classes, absent classes and ties, from one photograph on."""
    classes = "abcd"[: draw(st.integers(2, 4))]
    n = draw(st.integers(1, 12))
    y = draw(st.lists(st.sampled_from([*classes, "new", "other"]), min_size=n, max_size=n))
    weights = draw(
        st.lists(
            st.lists(st.integers(0, 4), min_size=len(classes), max_size=len(classes)).filter(any),
            min_size=n,
            max_size=n,
        )
    )
    p = np.array(weights, float)
    p /= p.sum(axis=1, keepdims=True)
    frequencies = draw(st.lists(st.integers(1, 9), min_size=len(classes), max_size=len(classes)))
    threshold = draw(st.none() | st.floats(0.05, 0.95)) if len(classes) == 2 else None
    return answers(y, p, classes, frequencies, threshold)


@settings(max_examples=200, deadline=None)
@given(random_answers())
def test_every_figure_is_in_its_range_and_scikit_learns_own(e):
    from sklearn import metrics

    s = e.summary()
    for name in ("accuracy", "baseline_accuracy", "balanced_accuracy", "macro_f1"):
        assert 0 <= s[name] <= 1, name
    for name, most in (("roc_auc", 1), ("calibration_error", 1), ("brier", 1 if len(e.classes) == 2 else 2)):
        assert s[name] is None or 0 <= s[name] <= most, name
    assert s["log_loss"] is None or s["log_loss"] >= 0
    low, high = s["accuracy_interval"]
    assert 0 <= low <= s["accuracy"] <= high <= 1

    y = e.y.astype(str)
    predicted = np.array(list(e.classes))[e.predicted]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert s["accuracy"] == pytest.approx(metrics.accuracy_score(y, predicted))
        assert s["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(y, predicted))
        assert s["macro_f1"] == pytest.approx(
            metrics.f1_score(y, predicted, average="macro", zero_division=0)
        )
        table = e.per_class()
        for k, label in enumerate(e.classes):
            recall = metrics.recall_score(y, predicted, labels=[label], average=None, zero_division=np.nan)
            precision = metrics.precision_score(
                y, predicted, labels=[label], average=None, zero_division=np.nan
            )
            assert table["recall"][k] == pytest.approx(recall[0], nan_ok=True)
            assert table["precision"][k] == pytest.approx(precision[0], nan_ok=True)
        known = np.isin(y, list(e.classes))
        assert s["n_known"] == known.sum()
        if known.any():
            p, y = e.probabilities[known], y[known]
            clipped = np.clip(p, 1e-7, 1)
            of_true = clipped[np.arange(len(y)), np.searchsorted(list(e.classes), y)]
            assert s["log_loss"] == pytest.approx(-np.mean(np.log(of_true)))
            if (p > 0).all():
                assert s["log_loss"] == pytest.approx(metrics.log_loss(y, p, labels=list(e.classes)))
            if len(e.classes) == 2:
                assert s["brier"] == pytest.approx(np.mean((p[:, 1] - (y == "b")) ** 2))
                if len(set(y)) == 2:
                    assert s["roc_auc"] == pytest.approx(metrics.roc_auc_score(y == "b", p[:, 1]))
            curve = e.calibration()
            assert curve["n"].sum() == len(y)
    counts = e.confusion()
    assert counts.to_numpy().sum() == len(e)
    assert np.trace(counts.to_numpy()[: len(e.classes)]) == round(s["accuracy"] * len(e))
    if len(e.classes) == 2:
        shares = e.threshold_curve().to_numpy()
        assert ((shares >= 0) & (shares <= 1) | np.isnan(shares)).all()
    assert (e.top_losses()["label"] != e.top_losses()["predicted"]).all()
