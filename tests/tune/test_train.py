"""Training above a cut: what it learns, and that it comes to the same weights however often it is killed."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from waiting import until

from embed.tune import checkpoint
from embed.tune.checkpoint import State

# TensorFlow is imported once, and every training is a child that was forked before it has computed anything.
SERVER = r"""
import os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras, tensorflow
import numpy as np
from pathlib import Path
from embed.tune import checkpoint
from embed.tune.checkpoint import State
from embed.tune.train import Head, prepare, train

class Data:
    def __init__(self, n, seed):
        random = np.random.default_rng(seed)
        self.y = np.arange(n) % 3
        self.x = random.normal(size=(n, 4, 4, 6)).astype(np.float32)
        self.x[..., 2] += 0.7 * self.y[:, None, None]
    def __len__(self): return -(-len(self.y) // 16)
    def epoch(self, number):
        order = np.random.default_rng([0, number]).permutation(len(self.y))
        for start in range(0, len(order), 16):
            yield self.x[order[start:start + 16]], self.y[order[start:start + 16]]
    def plain(self):
        for start in range(0, len(self.y), 16):
            yield self.x[start:start + 16], self.y[start:start + 16]

def run(folder, epochs):
    file = Path(folder) / "state.npz"
    prepare(2, 0)
    x = inputs = keras.Input((4, 4, 6))
    for i in range(2):
        x = keras.layers.Conv2D(12, 3, padding="same", name=f"conv_{i}")(x)
        x = keras.layers.BatchNormalization(name=f"norm_{i}")(x)
        x = keras.layers.ReLU()(x)
        x = keras.layers.Dropout(0.3)(x)
    tail = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(x))
    random = np.random.default_rng(1)
    head = Head(random.normal(size=(12, 3)).astype(np.float32), np.zeros(3, np.float32))
    options = {"epochs": epochs, "patience": 100, "learning_rate": 3e-3, "weight_decay": 0.05, "label_smoothing": 0.1}
    state = checkpoint.read(file) or State(2, [], 0, [], [], [])
    state = train(tail, head, Data(240, 1), Data(60, 2), options, file, state, lambda *step: os.write(1, b"."))
    np.savez(Path(folder) / "weights.npz", *tail.get_weights())

for line in sys.stdin:
    folder, epochs = line.split()
    child = os.fork()
    if child == 0:
        run(folder, int(epochs))
        os._exit(0)
    print(f"\\nchild {child}", flush=True)
    print(f"\\nended {os.waitpid(child, 0)[1]}", flush=True)
"""
EPOCHS = 6


@pytest.fixture(scope="module")
def trainer():
    """Return a function that trains in a folder, and kills the training once `kill` says so of the folder."""
    server = subprocess.Popen(
        [sys.executable, "-c", SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "KERAS_BACKEND": "tensorflow"},
    )

    def said(word):
        while True:
            line = server.stdout.readline().decode()
            assert line, "the server has ended"
            if word in line:
                return int(line.split(word)[1])

    def run(folder, kill=None):
        folder.mkdir(exist_ok=True)
        server.stdin.write(f"{folder} {EPOCHS}\n".encode())
        server.stdin.flush()
        child = said("child ")
        if kill is not None:
            until(lambda: kill(folder), "the moment to kill")
            os.kill(child, signal.SIGKILL)
        status = said("ended ")
        assert os.waitstatus_to_exitcode(status) == (0 if kill is None else -signal.SIGKILL)
        return weights(folder) if kill is None else None

    yield run
    server.stdin.close()
    server.wait()
    server.stdout.close()


def weights(folder):
    with np.load(folder / "weights.npz") as arrays:
        return [arrays[name] for name in arrays]


def epochs_done(folder):
    state = checkpoint.read(folder / "state.npz")
    return 0 if state is None else len(state.history)


@pytest.fixture(scope="module")
def uninterrupted(trainer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("training") / "whole"
    return folder, trainer(folder)


def test_a_training_that_was_killed_gives_the_weights_of_one_that_was_not(trainer, uninterrupted, tmp_path):
    folder = tmp_path / "killed"
    for done in (1, 3):
        trainer(folder, kill=lambda folder, done=done: epochs_done(folder) >= done)
        assert done <= epochs_done(folder) < EPOCHS
    for ours, theirs in zip(trainer(folder), uninterrupted[1], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    histories = [checkpoint.read(place / "state.npz").history for place in (folder, uninterrupted[0])]
    assert histories[0] == histories[1]


def test_it_learns_and_keeps_the_best_epoch(uninterrupted):
    state = checkpoint.read(uninterrupted[0] / "state.npz")
    losses = [one["validation_loss"] for one in state.history]
    assert [one["epoch"] for one in state.history] == list(range(1, EPOCHS + 1))
    assert state.best_epoch == 1 + int(np.argmin(losses))
    assert min(losses) < 0.8 * losses[0]
    assert state.history[-1]["accuracy"] > 0.6


def test_batch_normalisation_keeps_the_statistics_that_it_began_with(uninterrupted):
    # Of each of two layers: kernel, bias; gamma, beta, mean, variance.
    for kernel, _, gamma, _, mean, variance in zip(*[iter(uninterrupted[1])] * 6, strict=True):
        assert kernel.ndim == 4
        assert (mean == 0).all() and (variance == 1).all()
        assert not (gamma == 1).all(), "they are trained all the same"


def test_the_state_is_whole_or_not_believed(tmp_path):
    state = State(2, [{"epoch": 1, "loss": 0.5}], 1, [np.arange(3.0)], [np.array(7)], [np.ones((2, 2))])
    file = tmp_path / "state.npz"
    assert checkpoint.read(file) is None
    checkpoint.write(file, state)
    found = checkpoint.read(file)
    assert (found.threads, found.history, found.best_epoch) == (2, state.history, 1)
    for group in ("weights", "optimizer", "best"):
        for ours, theirs in zip(getattr(found, group), getattr(state, group), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    data = file.read_bytes()
    place = data.index(np.arange(3.0).tobytes())
    file.write_bytes(data[:place] + b"\1" + data[place + 1 :])
    assert checkpoint.read(file) is None
    file.write_bytes(data[: len(data) // 2])
    assert checkpoint.read(file) is None
