"""The dense head: trained by Keras, kept as a Keras model and, for predicting without Keras, as a scikit-learn pipeline.

Its layers are fully connected, so `MLPClassifier` with the same weights gives the same probabilities.
"""

import os
import random
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from embed.arguments import Seed, checked
from embed.errors import UsageError

HIDDEN = (256,)  # units of each hidden layer
DROPOUT = 0.5
LEARNING_RATE = 1e-3  # of Adam, lowered along half a cosine to zero
PATIENCE = 5  # epochs without a lower validation loss after which training stops; the best epoch is kept
BATCH_SIZES = (8, 256)  # photographs per step where none is given: a sixteenth of them, within these
EPOCHS = (8, 40)  # passes over the photographs where none is given
VISITS = 100_000  # of photographs in training, so that a large set takes no longer than it needs
SPREAD = 0.5  # root mean square of the values that the first layer is given
PREDICTED_AT_ONCE = 4_096
CURVE = {
    "loss": "loss",
    "accuracy": "accuracy",
    "val_loss": "validation_loss",
    "val_accuracy": "validation_accuracy",
}


class DenseClassifier:
    """Fully connected layers with ReLU and a softmax on top, on features scaled to length 1.

    Parameters
    ----------
    hidden : sequence of int
        Units of each hidden layer; () is softmax regression.
    dropout : float
        Share of the units of every hidden layer that is silenced at each step.
    l2 : float
        Weight of the squared weights in the loss, as `keras.regularizers.L2` counts them.
    batch_norm : bool
        Whether each hidden layer is normalised over the batch before its ReLU.
    learning_rate : float
        The first step of Adam.
    batch_size, epochs : int, optional
        Photographs per step, and passes over them at most.
    patience : int
        Epochs without a lower validation loss after which training stops.
    random_state : int
        Seed of the weights, the order of the photographs and the dropout.

    Attributes
    ----------
    classes_ : ndarray of shape (K,)
    model_ : keras.Sequential
    history_ : list of dict
        Loss and accuracy of every epoch, in training (dropout on) and on the validation part.
    best_epoch_ : int
        Number of epochs after which the weights were kept.
    """

    @checked
    def __init__(
        self,
        hidden: Sequence[int] = HIDDEN,
        dropout: float = DROPOUT,
        l2: float = 0.0,
        batch_norm: bool = False,
        learning_rate: float = LEARNING_RATE,
        batch_size: int | None = None,
        epochs: int | None = None,
        patience: int = PATIENCE,
        random_state: Seed = 0,
    ) -> None:
        if not 0 <= dropout < 1:
            raise UsageError(f"must be at least 0 and below 1, not {dropout:g}", "dropout")
        if not l2 >= 0:
            raise UsageError(f"must not be below 0, not {l2:g}", "l2")
        if any(units < 1 for units in hidden):
            raise UsageError(f"needs at least one unit in every layer, not {hidden}", "hidden")
        for name, value in (("epochs", epochs), ("batch_size", batch_size)):
            if value is not None and value < 1:
                raise UsageError(f"must be at least 1, not {value}", name)
        self.hidden = tuple(hidden)
        self.dropout = dropout
        self.l2 = l2
        self.batch_norm = batch_norm
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.random_state = random_state

    def fit(
        self,
        X: np.ndarray,
        y: np.ndarray,
        weight: np.ndarray | None = None,
        validation: tuple[np.ndarray, np.ndarray] | None = None,
        epochs: int | None = None,
        begun: Callable[[int], None] = lambda _: None,
    ) -> "DenseClassifier":
        """Train on features.

        Parameters
        ----------
        X : float32 ndarray of shape (n, d)
        y : ndarray of shape (n,)
        weight : ndarray of shape (n,), optional
            How much each photograph counts.
        validation : (X, y), optional
            Photographs of the same classes to stop by.
        epochs : int, optional
            Passes to make without a validation part, as they were found best before.
        begun : callable
            Takes the number of each epoch when it begins.
        """
        self.classes_, target = np.unique(y, return_inverse=True)
        with _seeded(self.random_state):
            import keras

            self.model_ = self._model(X)
            n, most = len(X), self.epochs or int(np.clip(VISITS // len(X), *EPOCHS))
            batch = self.batch_size or int(np.clip(n // 16, *BATCH_SIZES))
            schedule = keras.optimizers.schedules.CosineDecay(self.learning_rate, most * -(-n // batch))
            self.model_.compile(
                keras.optimizers.Adam(schedule),
                "sparse_categorical_crossentropy",
                weighted_metrics=["accuracy"],
                jit_compile=False,  # XLA takes longer to compile steps this small than they take
            )
            held_out = None
            callbacks = [keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, _: begun(epoch + 1))]
            if validation is not None:
                held_out = validation[0], np.searchsorted(self.classes_, validation[1])
                callbacks.append(
                    keras.callbacks.EarlyStopping(patience=self.patience, restore_best_weights=True)
                )
            seen = self.model_.fit(
                X,
                target,
                batch_size=batch,
                epochs=epochs or most,
                sample_weight=weight,
                validation_data=held_out,
                callbacks=callbacks,
                verbose=0,
            ).history
        self.history_ = [
            {
                "epoch": i + 1,
                **{ours: seen[theirs][i] if theirs in seen else None for theirs, ours in CURVE.items()},
            }
            for i in range(len(seen["loss"]))
        ]
        self.best_epoch_ = int(np.argmin(seen["val_loss"])) + 1 if held_out else len(self.history_)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the probability of every class as Keras computes it, float32 ndarray of shape (n, K)."""
        return self.model_.predict(X, batch_size=PREDICTED_AT_ONCE, verbose=0)

    def _model(self, X: np.ndarray) -> Any:
        """Return the untrained network; it is given features as they are cached."""
        import keras
        from keras import layers

        # What ReLU made is nowhere below zero: about its mean it trains in half the epochs, and better.
        unit = X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), np.float32(1e-6))
        mean = unit.mean(axis=0)
        variance = float(np.mean((unit - mean) ** 2, dtype=np.float64)) or SPREAD**2
        penalty = keras.regularizers.L2(self.l2) if self.l2 else None
        model = keras.Sequential([keras.Input((X.shape[1],)), layers.UnitNormalization()])
        model.add(layers.Normalization(mean=mean, variance=np.full_like(mean, variance / SPREAD**2)))
        for units in self.hidden:
            model.add(layers.Dense(units, kernel_initializer="he_normal", kernel_regularizer=penalty))
            if self.batch_norm:
                model.add(layers.BatchNormalization(momentum=0.9))
            model.add(layers.Activation("relu"))
            model.add(layers.Dropout(self.dropout))
        model.add(layers.Dense(len(self.classes_), "softmax", kernel_regularizer=penalty))
        return model

    def keras_file(self) -> bytes:
        """Return the network as the content of a ``.keras`` file."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "head.keras")
            self.model_.save(file)
            return file.read_bytes()

    def pipeline(self) -> Any:
        """Return the network as a fitted scikit-learn pipeline with the same probabilities."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPClassifier
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import Normalizer

        d, K = self.model_.input_shape[1], len(self.classes_)
        network = MLPClassifier(self.hidden, solver="lbfgs", max_iter=1, random_state=0)
        pipeline = Pipeline([("normalizer", Normalizer()), ("classifier", network)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            pipeline.fit(np.eye(K, d, dtype=np.float32), self.classes_)  # its shape; the weights follow
        weights, biases = self._folded()
        if K == 2:  # one unit says there what is the difference of two here
            weights[-1], biases[-1] = (np.diff(array, axis=-1) for array in (weights[-1], biases[-1]))
        network.coefs_, network.intercepts_ = weights, biases
        return pipeline

    def _folded(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return the weights and biases of the dense layers, each with the normalisation next to it."""
        from keras import layers

        weights: list[np.ndarray] = []
        biases: list[np.ndarray] = []
        first_scale: np.ndarray = np.ones((1, 1), np.float32)
        first_shift: np.ndarray = np.zeros(1, np.float32)
        for layer in self.model_.layers:
            if isinstance(layer, layers.Normalization):
                first_scale = 1 / np.sqrt(np.asarray(layer.variance).reshape(-1, 1))
                first_shift = -np.asarray(layer.mean).reshape(-1) * first_scale[:, 0]
            elif isinstance(layer, layers.Dense):
                kernel, bias = (np.asarray(array) for array in layer.get_weights())
                if not weights:
                    kernel, bias = kernel * first_scale, bias + first_shift @ kernel
                weights.append(kernel)
                biases.append(bias)
            elif isinstance(layer, layers.BatchNormalization):
                gamma, beta, mean, variance = layer.get_weights()
                scale = gamma / np.sqrt(variance + layer.epsilon)
                weights[-1], biases[-1] = weights[-1] * scale, (biases[-1] - mean) * scale + beta
        return weights, biases


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Let Keras draw from a seed, and the generators of Python and NumPy go on afterwards as if nothing had been."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow writes of its choices to stderr
    import keras

    of_python, of_numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        keras.utils.set_random_seed(seed)
        yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)  # noqa: NPY002
