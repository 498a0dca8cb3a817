"""TensorFlow's SavedModel: a folder, for TensorFlow Serving and what else is made of TensorFlow."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from embed.deploy.keras_format import DOCUMENT
from embed.deploy.keras_model import classifier
from embed.deploy.plan import AT_ONCE, PIXELS, PROBABILITIES, Plan

EXTRA = "assets.extra"  # where TensorFlow leaves alone what others put
SIGNATURE = "serving_default"


class SavedModel:
    """A folder. See `Format`."""

    name = "TensorFlow"
    runtime = "TensorFlow"
    packages: Sequence[str] = ()
    any_size = True
    any_network = False
    int8 = False

    def write(self, plan: Plan, file: Path, calibration: np.ndarray | None = None) -> None:
        """Write a classifier. See `Format.write`."""
        import keras
        import tensorflow

        model = classifier(plan)
        pixels = tensorflow.TensorSpec(model.inputs[0].shape, tensorflow.uint8, name=PIXELS)
        archive = keras.export.ExportArchive()
        archive.track(model)
        archive.add_endpoint(
            SIGNATURE, lambda pixels: {PROBABILITIES: model(pixels, training=False)}, input_signature=[pixels]
        )
        archive.write_out(file, verbose=False)

    def run(self, file: Path, pixels: np.ndarray) -> np.ndarray:
        """Return the probabilities. See `Format.run`."""
        import tensorflow

        model = tensorflow.saved_model.load(str(file)).signatures[SIGNATURE]
        starts = range(0, len(pixels), AT_ONCE)
        rows = [model(**{PIXELS: tensorflow.constant(pixels[start : start + AT_ONCE])}) for start in starts]
        return np.concatenate([np.asarray(one[PROBABILITIES]) for one in rows])

    def describe(self, file: Path, document: str, classes: Sequence[str]) -> None:
        """Put a document into the folder. See `Format.describe`."""
        (file / EXTRA).mkdir()
        (file / EXTRA / DOCUMENT).write_text(document, "utf-8")
