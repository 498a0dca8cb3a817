"""What scikit-learn asks of an estimator, met without importing it: that takes longer than fitting most heads.

It is imported where its own are needed: by what only its users call, for what is no plain array, for its errors.
"""

import inspect
from typing import Any

import numpy as np


class Estimator:
    """A classifier by scikit-learn's conventions: the arguments of the constructor are its parameters."""

    classes_: np.ndarray
    n_features_in_: int

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name; `deep` is of no effect, as none of them is an estimator."""
        return {name: getattr(self, name) for name in inspect.signature(type(self)).parameters}

    def set_params(self, **parameters: Any) -> "Estimator":
        """Change parameters by name.

        Raises:
            ValueError: there is no such parameter.
        """
        known = self.get_params()
        for name, value in parameters.items():
            if name not in known:
                raise ValueError(
                    f"{type(self).__name__} has no parameter {name!r}; it has {', '.join(known)}"
                )
            setattr(self, name, value)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of every row, ndarray of shape (n_samples,)."""
        raise NotImplementedError

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of rows that are predicted right."""
        return float(np.average(self.predict(X) == np.asarray(y), weights=sample_weight))

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={value!r}" for name, value in self.get_params().items())
        return f"{type(self).__name__}({given})"

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import ClassifierTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(),
        )

    def _check_fitted(self) -> None:
        if not hasattr(self, "classes_"):
            from sklearn.exceptions import NotFittedError

            raise NotFittedError(f"this {type(self).__name__} is not fitted yet; call fit first")

    def _checked_rows(self, X: Any) -> np.ndarray:
        """Return rows to be judged as a finite float32 ndarray of shape (n, n_features_in_)."""
        if _is_plain(X) and X.shape[1] == self.n_features_in_ and not hasattr(self, "feature_names_in_"):
            return X
        from sklearn.utils.validation import validate_data

        return validate_data(self, X, dtype=np.float32, order="C", reset=False)

    def _checked_training(self, X: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return rows to be fitted on, as finite float32, with their classes, and remember their width."""
        if _is_plain(X) and _names_classes(y, len(X)):
            self.n_features_in_ = X.shape[1]
            self.__dict__.pop("feature_names_in_", None)
            return X, y
        from sklearn.utils.multiclass import check_classification_targets
        from sklearn.utils.validation import validate_data

        X, y = validate_data(self, X, y, dtype=np.float32, order="C")
        check_classification_targets(y)
        return X, y


def _is_plain(X: Any) -> bool:
    """Whether nothing about X needs to be converted or refused."""
    return (
        type(X) is np.ndarray
        and X.dtype == np.float32
        and X.ndim == 2
        and X.flags.c_contiguous  # another order would sum in another order
        and X.size > 0
        and bool(np.isfinite(X).all())
    )


def _names_classes(y: Any, n: int) -> bool:
    return type(y) is np.ndarray and y.shape == (n,) and y.dtype.kind in "biuU"
