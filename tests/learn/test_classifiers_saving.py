"""Heads on disk: a file from a stranger runs no code, a damaged one is told."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from head_samples import blobs, make

from embed.errors import ModelError
from embed.learn.heads import saving


class Malice:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (Path.touch, (Path(self.marker),))


def test_a_file_from_a_stranger_runs_no_code(tmp_path):
    marker = tmp_path / "it ran"
    with np.load(io.BytesIO(saving.dumps(make("logistic").fit(*blobs()))), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    hostile = np.empty(1, dtype=object)
    hostile[0] = Malice(str(marker))
    for name in ("coef_", "document"):
        stream = io.BytesIO()
        np.savez(stream, **{**arrays, name: hostile})
        with pytest.raises(ModelError, match="damaged or no model"):
            saving.loads(stream.getvalue(), tmp_path / "head.npz")
    assert not marker.exists()
    stream = io.BytesIO()
    np.savez(stream, **{**arrays, "predict_proba": hostile})  # what no head has is never looked at
    saving.loads(stream.getvalue(), tmp_path / "head.npz")
    assert not marker.exists()
    document = json.loads(str(arrays["document"]))
    document["head"] = "os.system"
    stream = io.BytesIO()
    np.savez(stream, **{**arrays, "document": np.array(json.dumps(document))})
    with pytest.raises(ModelError):
        saving.loads(stream.getvalue(), tmp_path / "head.npz")


@pytest.mark.parametrize("data", [b"", b"no archive", b"PK\x03\x04 half of one"])
def test_a_damaged_file_is_told(tmp_path, data):
    with pytest.raises(ModelError, match="damaged"):
        saving.loads(data, tmp_path / "head.npz")
