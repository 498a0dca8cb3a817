"""What the decoder does to features: as good as nothing where it takes a shortcut."""

import io

import numpy as np
import pytest
from PIL import Image

from embed.backbones import Network, open_runtime
from embed.images import Resize
from embed.images import decode as decoding


@pytest.fixture(scope="module")
def sample(clothing):
    return sorted(clothing.rglob("*.jpg"))[::75]


def decoded(data, monkeypatch, margin):
    monkeypatch.setattr(decoding, "DRAFT_MARGIN", margin)
    return np.stack([np.asarray(decoding.decode(one, "JPEG", Resize(224))) for one in data])


@pytest.mark.photographs
def test_photographs_of_ordinary_size_are_decoded_in_full(sample, monkeypatch):
    data = [file.read_bytes() for file in sample]
    assert len(data) > 50
    as_it_is, full = (decoded(data, monkeypatch, margin) for margin in (decoding.DRAFT_MARGIN, 10**6))
    assert (as_it_is == full).all()


@pytest.mark.imagenet
@pytest.mark.photographs
def test_scaling_in_the_jpeg_decoder_leaves_the_features_as_they_are(sample, keras_home, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(keras_home))
    data = []
    for columns in (5, 7):  # large photographs, of many
        mosaic = Image.new("RGB", (400 * columns, 400 * columns))
        for i in range(columns**2):
            with Image.open(sample[i % len(sample)]) as image:
                mosaic.paste(image.crop((0, 0, 400, 400)), (400 * (i % columns), 400 * (i // columns)))
        stream = io.BytesIO()
        mosaic.save(stream, "JPEG", quality=92)
        data.append(stream.getvalue())
    scaled, full = (decoded(data, monkeypatch, margin) for margin in (decoding.DRAFT_MARGIN, 10**6))
    assert (scaled != full).any(axis=(1, 2, 3)).all()
    runtime = open_runtime(Network("mobilenetv2"))
    a, b = runtime.run(scaled), runtime.run(full)
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert cosine.min() >= 0.999
