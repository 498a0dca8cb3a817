"""What every head shares: choosing its strength on held-out folds, and turning scores into probabilities."""

from collections.abc import Callable
from typing import Any

import numpy as np

from embed.learn.heads import preparing
from embed.learn.heads.calibration import calibrate, fit_calibration, log_loss, softmax
from embed.learn.heads.estimator import Estimator
from embed.learn.heads.sampling import class_weights, deal
from embed.learn.heads.threads import in_threads, one_blas_thread

FOLDS = 3  # that the strength is chosen on
ENOUGH_HELD_OUT = 2_000  # rows: as many of the folds as hold them are held out in turn, the others only train
SEARCHED_AT_MOST = 5_000  # rows that a candidate is fitted on in the search
PRIOR = 0.3  # of log likelihood: what a candidate pays for the square of its steps from the plain one, see `_plain`

Candidate = dict[str, Any]
Scorer = Callable[[Candidate], np.ndarray]  # candidate → scores of the held-out rows, (n_held_out, K)


class Head(Estimator):
    """A classifier of features that chooses its strength by cross-validation within the photographs it is fitted on.

    A head of its own defines its constructor and `_candidates`, `_scorers`, `_fit_one` and `_scores`.

    Attributes:
        classes_: the K classes, sorted.
        chosen_: the candidate that was chosen, by parameter name.
        search_: per candidate that was tried, its parameters, the `log_loss` and `accuracy` of its out-of-fold
            probabilities, and its `penalised_loss`, by which it was chosen.
        sketched_: whether features are sketched, being many and long.
        calibration_: scale and offsets that turn scores into probabilities, shape (1 + K,).
        held_out_: columns of the true classes, shape (m,), and probabilities, shape (m, K), of the photographs
            that were held out in choosing; None where there were too few.
    """

    name: str  # as `make` takes it
    own: tuple[str, ...]  # fitted attributes of the head itself, beside those of every head
    power: float
    class_weight: str | None
    random_state: int
    chosen_: Candidate
    search_: list[Candidate]
    held_out_: tuple[np.ndarray, np.ndarray] | None

    def fit(self, X: Any, y: Any, groups: Any = None, validation: tuple[Any, Any] | None = None) -> "Head":
        """Choose the strength, calibrate, and fit on everything.

        Args:
            X: shape (n_samples, n_features).
            y: shape (n_samples,).
            groups: shape (n_samples,); rows of one group (views of one photograph, say) stay in one fold.
            validation: (X, y) of other photographs, for a head that stops by them; the others choose by folds.
        """
        X, target, weight = self._start(X, y)
        self.sketched_ = self._needs_sketch(*X.shape)
        candidates = self._candidates(len(X))
        with one_blas_thread():
            X = self._prepare(X)
            self._search(X, target, weight, candidates, groups)
            self._fit_one(X, target, weight, self.chosen_)
        return self

    def refit(self, X: Any, y: Any) -> "Head":
        """Fit on other photographs of the same classes with the strength and the calibration already chosen."""
        self._check_fitted()
        classes = self.classes_
        X, target, weight = self._start(X, y)
        if not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"refitting needs the same classes: {list(classes)} before, {list(self.classes_)} now"
            )
        with one_blas_thread():
            self._fit_one(self._prepare(X), target, weight, self.chosen_)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of every class, float64 ndarray of shape (n_samples, n_classes)."""
        self._check_fitted()
        X = self._checked_rows(X)
        with one_blas_thread():
            return calibrate(self._scores(self._prepare(X)), self.calibration_)

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of every row, ndarray of shape (n_samples,)."""
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    @property
    def fitted(self) -> tuple[str, ...]:
        """Names of the attributes that a fitted head consists of."""
        return ("classes_", "n_features_in_", "sketched_", "chosen_", "search_", "calibration_", *self.own)

    # ------------------------------------------------------------------ what a head defines

    def _prepare(self, X: np.ndarray) -> np.ndarray:
        """What the head makes of features before anything else, float32."""
        return preparing.prepare(X, self.power, self.sketched_)

    def _needs_sketch(self, n: int, d: int) -> bool:
        return d > preparing.MOST_DIMENSIONS and n * d > preparing.MOST_VALUES

    def _candidates(self, n: int) -> list[Candidate]:
        """The strengths to choose from, the most regularised first."""
        raise NotImplementedError

    def _scorers(
        self,
        X: np.ndarray,
        target: np.ndarray,
        weight: np.ndarray,
        folds: list[tuple[np.ndarray, np.ndarray]],
    ) -> list[Scorer]:
        """Return for every (rows to fit on, rows held out) what scores the held-out rows by a candidate.

        A scorer is asked for one candidate after another, neighbours first, so that it may start from the last.
        """
        raise NotImplementedError

    def _fit_one(self, X: np.ndarray, target: np.ndarray, weight: np.ndarray, chosen: Candidate) -> None:
        """Fit the chosen candidate and keep what `_scores` needs in attributes that end in _."""
        raise NotImplementedError

    def _scores(self, X: np.ndarray) -> np.ndarray:
        """Scores of shape (n, K)."""
        raise NotImplementedError

    # ------------------------------------------------------------------ the search

    def _start(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        X, y = self._checked_training(X, y)
        self.classes_, target = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"a classifier needs at least two classes, got one class: {self.classes_[0]!r}")
        return X, target, class_weights(target, len(self.classes_), self.class_weight)

    def _folds(self, target: np.ndarray, groups: Any) -> np.ndarray:
        random = np.random.RandomState(self.random_state)
        group = np.arange(len(target)) if groups is None else np.unique(groups, return_inverse=True)[1]
        fold = deal(target, group, random.random_sample(group.max() + 1), FOLDS)
        enough = -(-ENOUGH_HELD_OUT * FOLDS // len(target))
        fold[fold >= enough] = -1
        return fold

    def _search(
        self, X: np.ndarray, target: np.ndarray, weight: np.ndarray, candidates: list[Candidate], groups: Any
    ) -> None:
        fold = self._folds(target, groups)
        out = np.flatnonzero(fold >= 0)
        if len(np.unique(target[out])) < 2:
            self._without_search(candidates)
            return
        numbers = [k for k in range(FOLDS) if np.any(fold == k)]
        rows = [(self._sample(np.flatnonzero(fold != k)), np.flatnonzero(fold == k)) for k in numbers]
        scorers = self._scorers(X, target, weight, rows)
        tried: dict[int, tuple[Candidate, np.ndarray, np.ndarray]] = {}

        def loss(i: int) -> float:
            scores = np.empty((len(target), len(self.classes_)))
            for (_, held), of_fold in zip(
                rows, in_threads(lambda score: score(candidates[i]), scorers), strict=True
            ):
                scores[held] = of_fold
            calibration = fit_calibration(scores[out], target[out], weight[out], self._plain_scale())
            calibrated = calibration[0] * scores[out] + calibration[1:]
            found = log_loss(calibrated, target[out], weight[out])
            penalised = found + PRIOR * (i - _plain(candidates)) ** 2 / len(out)
            accuracy = float(np.mean(calibrated.argmax(axis=1) == target[out]))
            row = {**candidates[i], "log_loss": found, "penalised_loss": penalised, "accuracy": accuracy}
            tried[i] = row, calibration, calibrated
            return penalised

        best = _walk(loss, _plain(candidates), len(candidates))
        self.search_ = [tried[i][0] for i in sorted(tried)]
        self.chosen_, self.calibration_ = candidates[best], tried[best][1]
        self.held_out_ = target[out], softmax(tried[best][2])

    def _sample(self, rows: np.ndarray) -> np.ndarray:
        if len(rows) <= SEARCHED_AT_MOST:
            return rows
        return np.sort(np.random.RandomState(self.random_state).permutation(rows)[:SEARCHED_AT_MOST])

    def _without_search(self, candidates: list[Candidate]) -> None:
        """Take the plain candidate, and scores as they are: there is nothing to choose by."""
        self.chosen_ = candidates[_plain(candidates)]
        self.search_ = []
        self.calibration_ = np.concatenate([[self._plain_scale()], np.zeros(len(self.classes_))])
        self.held_out_ = None

    def _plain_scale(self) -> float:
        """The scale of the scores where nothing could be held out to calibrate them on."""
        return 1.0


def _plain(candidates: list[Candidate]) -> int:
    """Return the candidate to take where nothing speaks for another: the one in the middle.

    The fewer photographs there are, the less their loss says of a strength, and the more this counts: it is the
    mode of a normal prior on the logarithm of the strength, with a factor of 4.5 as its standard deviation.
    """
    return len(candidates) // 2


def _walk(loss: Callable[[int], float], start: int, n: int) -> int:
    """Return where a loss that falls and then rises along 0, ..., n - 1 is lowest, walking downhill from `start`."""
    best = start
    lowest = loss(best)
    for step in (1, -1):
        while 0 <= best + step < n and (found := loss(best + step)) < lowest:
            best, lowest = best + step, found
        if best != start:
            break
    return best
