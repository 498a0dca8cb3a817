"""What the decoder does to features: as good as nothing where it takes a shortcut."""

import importlib

import numpy as np
import pytest

from embed import images
from embed.backbones import Network
from embed.runtime import open_runtime

decoding = importlib.import_module("embed.images.decode")

SIZE = 96  # small enough that the JPEG decoder scales every photograph of the sample


@pytest.mark.imagenet
@pytest.mark.photographs
def test_scaling_in_the_jpeg_decoder_leaves_the_features_as_they_are(clothing, keras_home, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(keras_home))
    files = [clothing / found.path for found in images.find(clothing)][::60]
    data = [images.read(file).data for file in files]

    def features(margin):
        monkeypatch.setattr(decoding, "DRAFT_MARGIN", margin)
        return runtime.run(np.stack([images.decode(one, images.Resize(SIZE)) for one in data]))

    runtime = open_runtime(Network("mobilenetv2", size=SIZE))
    scaled, full = features(decoding.DRAFT_MARGIN), features(10**6)
    assert (scaled != full).any(axis=1).mean() > 0.9
    cosine = (scaled * full).sum(1) / np.linalg.norm(scaled, axis=1) / np.linalg.norm(full, axis=1)
    assert cosine.min() >= 0.999
