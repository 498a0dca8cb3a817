"""LiteRT: ``.tflite`` for telephones and small devices, one picture at a time."""

import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from embed.deploy.keras_format import DOCUMENT
from embed.deploy.keras_model import classifier
from embed.deploy.plan import Plan
from embed.machine import processors

LABELS = "labels.txt"  # a class a line, as the libraries for telephones look for it


class LiteRT:
    """A ``.tflite`` file. See `Format`."""

    name = "LiteRT"
    runtime = "LiteRT"
    packages: Sequence[str] = ("ai_edge_litert",)
    any_size = False
    any_network = False
    int8 = True

    def write(self, plan: Plan, file: Path, calibration: np.ndarray | None = None) -> None:
        """Write a classifier. See `Format.write`."""
        import tensorflow

        with tempfile.TemporaryDirectory(dir=file.parent) as folder:
            classifier(plan, batch=1).export(folder, format="tf_saved_model", verbose=False)
            converter = tensorflow.lite.TFLiteConverter.from_saved_model(folder)
            if calibration is not None:
                converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
                converter.representative_dataset = lambda: ([picture[None]] for picture in calibration)
            file.write_bytes(converter.convert())

    def run(self, file: Path, pixels: np.ndarray) -> np.ndarray:
        """Return the probabilities. See `Format.run`."""
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=str(file), num_threads=processors())
        interpreter.allocate_tensors()
        (given,), (result,) = interpreter.get_input_details(), interpreter.get_output_details()
        rows = []
        for picture in pixels:
            interpreter.set_tensor(given["index"], picture[None])
            interpreter.invoke()
            rows.append(interpreter.get_tensor(result["index"])[0])
        return np.stack(rows)

    def describe(self, file: Path, document: str, classes: Sequence[str]) -> None:
        """Put a document and the classes behind the file, as an archive of ZIP. See `Format.describe`."""
        # https://ai.google.dev/edge/litert/conversion/tensorflow/metadata: files that go with a model are packed so.
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr(DOCUMENT, document)
            lines = (label.encode("utf-8", "backslashreplace").replace(b"\n", b"\\n") for label in classes)
            archive.writestr(LABELS, b"".join(line + b"\n" for line in lines))
