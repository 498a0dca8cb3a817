"""The 40,000 training pictures (64×64, 200 classes), decoded once, and their split."""

import io
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

SHARED = Path(__file__).resolve().parents[2] / "shared"
WORK = Path(__file__).resolve().parent / "work"  # everything that can be computed again; ignored by git
PICTURE_SIZE = 64
CLASSES = 200
HELD_OUT = 2000  # the first pictures of the (shuffled) file: variants are chosen on them, never trained on


def pictures() -> np.ndarray:
    """All pictures, uint8 of shape (40000, 64, 64, 3); decoded by the first call, mapped afterwards."""
    cached = WORK / "pictures.npy"
    if not cached.exists():
        WORK.mkdir(parents=True, exist_ok=True)
        with h5py.File(SHARED / "data" / "tiny-imagenet.h5") as file:
            encoded, offset = file["webp"][:], file["offset"][:]
        decoded = np.empty((len(offset) - 1, PICTURE_SIZE, PICTURE_SIZE, 3), np.uint8)
        for i in range(len(decoded)):
            picture = Image.open(io.BytesIO(encoded[offset[i] : offset[i + 1]].tobytes()))
            decoded[i] = np.asarray(picture.convert("RGB"))
        partial = cached.with_suffix(".partial.npy")
        np.save(partial, decoded)
        partial.replace(cached)
    return np.load(cached, mmap_mode="c")


def labels() -> np.ndarray:
    """Class of every picture, int64 of shape (40000,), 0..199."""
    with h5py.File(SHARED / "data" / "tiny-imagenet.h5") as file:
        return file["label"][:].astype(np.int64)
