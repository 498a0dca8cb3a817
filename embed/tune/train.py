"""Training the layers above a cut, as the job of a process of its own.

Killed at any moment and run again on the same machine it gives the same weights: operations are deterministic, what is drawn depends
on the seed and the epoch alone, and after each epoch the whole state is kept, with the number of threads.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from embed import files
from embed.backbones import Tuning, append_tuning, child, from_json
from embed.cache import open_features
from embed.errors import UsageError
from embed.machine import processors
from embed.tune import checkpoint
from embed.tune.batches import Batches
from embed.tune.checkpoint import State
from embed.tune.options import Step

if TYPE_CHECKING:
    import keras

WARM_UP = 0.1  # of the steps: the learning rate rises from nothing
TELL_S = 0.2

Tell = Callable[..., None]


@dataclass(frozen=True)
class Head:
    """What tells the classes by features of unit length.

    Parameters
    ----------
    kernel : ndarray of shape (d, K), float32
    bias : ndarray of shape (K,), float32
    """

    kernel: NDArray[np.float32]
    bias: NDArray[np.float32]


def prepare(threads: int, seed: int) -> None:
    """Let TensorFlow compute the same every time. It must not have computed anything before."""
    import keras
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(threads)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    tensorflow.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)


def train(
    tail: "keras.Model",
    head: Head,
    batches: Batches,
    held_out: Batches | None,
    options: dict[str, Any],
    file: Path,
    state: State,
    tell: Tell = lambda *_: None,
) -> State:
    """Train layers and a head, and return the state at the end; `tail` has the weights of the best epoch.

    Parameters
    ----------
    tail : keras.Model
        Outputs of the cut in, features out.
    head : Head
    batches : Batches
    held_out : Batches or None
        By which it stops; without them the last epoch is taken.
    options : dict
        As `TuneOptions.of_training` returns them.
    file : Path
        Where the state is kept.
    state : State
        As it was read from there.
    tell : callable
        Takes the fields of `Step`.
    """
    import keras
    import tensorflow

    dense = keras.layers.Dense(len(head.bias), name="head")
    outputs = keras.Input(tail.input_shape[1:])
    model = keras.Model(outputs, dense(keras.layers.UnitNormalization()(tail(outputs))))
    dense.set_weights([head.kernel, head.bias])
    variables = [*tail.trainable_variables, *dense.trainable_variables]
    steps = len(batches) * options["epochs"]
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        max(1, round((1 - WARM_UP) * steps)),
        warmup_target=options["learning_rate"],
        warmup_steps=max(1, round(WARM_UP * steps)),
    )
    optimizer = keras.optimizers.AdamW(rate, weight_decay=options["weight_decay"])
    not_decayed = [variable for variable in tail.trainable_variables if len(variable.shape) < 2]
    optimizer.exclude_from_weight_decay(var_list=[*not_decayed, *dense.trainable_variables])
    optimizer.build(variables)
    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)
    smooth_loss_of = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=options["label_smoothing"], reduction=None
    )
    signature = [
        tensorflow.TensorSpec((None, *tail.input_shape[1:]), tensorflow.float32),
        tensorflow.TensorSpec((None,), tensorflow.int64),
    ]

    # Every call is one of prediction, the outermost included, which Keras lets all inner ones follow: batch normalisation keeps the
    # mean and the variance that the weights came with. With those of a batch, features would be others than are computed ever after.
    def judged(logits: Any, y: Any) -> Any:
        right = tensorflow.equal(tensorflow.argmax(logits, axis=1), y)
        return tensorflow.reduce_sum(loss_of(y, logits)), tensorflow.math.count_nonzero(right)

    @tensorflow.function(input_signature=signature)
    def judge(x: Any, y: Any) -> Any:
        return judged(model(x, training=False), y)

    @tensorflow.function(input_signature=signature)
    def learn(x: Any, y: Any) -> Any:
        with tensorflow.GradientTape() as tape:
            logits = model(x, training=False)
            loss = tensorflow.reduce_mean(smooth_loss_of(tensorflow.one_hot(y, len(head.bias)), logits))
        optimizer.apply(tape.gradient(loss, variables), variables)
        return judged(logits, y)

    if state.history:
        _assign(variables, state.weights)
        _assign(optimizer.variables, state.optimizer)
    while len(state.history) < options["epochs"] and not _is_over(state, options["patience"]):
        epoch = len(state.history) + 1
        before = state.history[-1] if state.history else {}
        told = before.get("validation_loss"), before.get("validation_accuracy")
        seen, losses, hits, last = 0, 0.0, 0, time.monotonic()
        for step, (x, y) in enumerate(batches.epoch(epoch), 1):
            total, right = learn(x, y)
            seen, losses, hits = seen + len(y), losses + float(total), hits + int(right)
            if time.monotonic() - last > TELL_S or step == len(batches):
                last = time.monotonic()
                tell(*Step(epoch, options["epochs"], step, len(batches), losses / seen, hits / seen, *told))
        if not np.isfinite(losses):
            raise UsageError(
                f"{options['learning_rate']:g} is too high: the loss is no number any more", "learning_rate"
            )
        one: dict[str, Any] = {"epoch": epoch, "loss": losses / seen, "accuracy": hits / seen}
        one |= _judged(judge, held_out)
        state.history.append(one)
        state.weights = [variable.numpy() for variable in variables]
        state.optimizer = [variable.numpy() for variable in optimizer.variables]
        if held_out is None or one["validation_loss"] <= min(h["validation_loss"] for h in state.history):
            state.best_epoch, state.best = epoch, state.weights
        checkpoint.write(file, state)
    _assign(variables, state.best)
    return state


def _judged(judge: Callable[..., Any], held_out: Batches | None) -> dict[str, float | None]:
    if held_out is None:
        return {"validation_loss": None, "validation_accuracy": None}
    seen, losses, hits = 0, 0.0, 0
    for x, y in held_out.plain():
        total, right = judge(x, y)
        seen, losses, hits = seen + len(y), losses + float(total), hits + int(right)
    return {"validation_loss": losses / seen, "validation_accuracy": hits / seen}


def _is_over(state: State, patience: int) -> bool:
    return len(state.history) - state.best_epoch >= patience


def _assign(variables: Any, values: list[NDArray[Any]]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _work(job: dict[str, Any], tell: Tell) -> dict[str, Any]:
    """Train, and write the weights of the whole network."""
    to, options = Path(job["to"]), job["options"]
    file = Path(job["checkpoint"])
    state = checkpoint.read(file, files.Boundary.of_set(file.parents[2]))
    if state is None:
        state = State(processors(), [], 0, [], [], [])
    prepare(state.threads, options["seed"])
    network = from_json(job["network"])
    tail = network.backbone.tail(network, job["cut"])
    with np.load(job["plan"], allow_pickle=False) as plan:
        given = dict(plan)
    outputs = open_features(Path(job["cache"]), job["outputs"])
    shape, size = tuple(job["shape"]), options["batch_size"]

    def batches(part: str) -> Batches | None:
        rows, y = given[f"{part}_rows"], given[f"{part}_y"]
        return Batches(outputs, rows, y, shape, size, options["seed"]) if len(rows) else None

    training = batches("train")
    assert training is not None
    head = Head(given["kernel"], given["bias"])
    state = train(tail.model, head, training, batches("held_out"), options, file, state, tell)
    about = {**job["about"], "learning_curve": state.history, "best_epoch": state.best_epoch}
    contents = np.unique(given["contents"], axis=0)
    try:
        with files.temporary_folder(to.parent) as temporary:
            draft = temporary / to.name
            tail.save(draft)
            append_tuning(draft, Tuning(job["tuned_from"], contents, about))
            draft.replace(to)
        files.sync_folder(to.parent)
    except OSError as error:
        raise files.write_error(to, error) from error
    return {}


def main() -> None:
    """Do the job of a child process."""
    child.serve(_work, tells=True)
