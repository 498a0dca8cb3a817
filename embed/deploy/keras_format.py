"""Keras's own ``.keras``."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from embed.deploy.keras_model import classifier
from embed.deploy.plan import AT_ONCE, Plan

DOCUMENT = "embed.json"  # in the archive


class Keras:
    """A ``.keras`` file. See `Format`."""

    name = "Keras"
    runtime = "Keras"
    packages: Sequence[str] = ()
    any_size = True
    any_network = False
    int8 = False

    def write(self, plan: Plan, file: Path, calibration: np.ndarray | None = None) -> None:
        """Write a classifier. See `Format.write`."""
        classifier(plan).save(file)

    def run(self, file: Path, pixels: np.ndarray) -> np.ndarray:
        """Return the probabilities. See `Format.run`."""
        import keras

        model = keras.saving.load_model(file, compile=False, safe_mode=True)
        return model.predict(pixels, batch_size=AT_ONCE, verbose=0)

    def describe(self, file: Path, document: str, classes: Sequence[str]) -> None:
        """Put a document into the archive. See `Format.describe`."""
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr(DOCUMENT, document)
