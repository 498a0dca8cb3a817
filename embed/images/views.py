"""Augmented views of one photograph, the same ones every time."""

import math

import numpy as np
from PIL import Image, ImageEnhance

# How far a view may go from the photograph, either way.
ROTATION = 15  # degrees
SHEAR = 10  # degrees
ZOOM = 0.2  # of the size
SHIFT = 0.1  # of the size
BRIGHTNESS = 0.2  # of the value


def augment(photograph: Image.Image | np.ndarray, views: int, seed: int, sha256: bytes) -> np.ndarray:
    """Return views of a decoded photograph; the first is the photograph itself.

    The others are flipped, zoomed, sheared, turned, shifted and lit at random. What is drawn depends on the content,
    the seed and the number of the view, and on nothing else.

    Parameters
    ----------
    photograph : image or ndarray of shape (size, size, 3), uint8
    views : int
    seed : int
    sha256 : bytes
        Of the content.

    Returns
    -------
    ndarray of shape (views, size, size, 3), uint8
    """
    pixels = np.asarray(photograph)
    result = np.empty((views, *pixels.shape), np.uint8)
    result[0] = pixels
    identity = np.frombuffer(sha256, "<u4").tolist()
    for view in range(1, views):
        result[view] = _view(pixels, np.random.Generator(np.random.PCG64([seed, view, *identity])))
    return result


def _view(pixels: np.ndarray, random: np.random.Generator) -> np.ndarray:
    size = len(pixels)
    flip, turn, shear, zoom_x, zoom_y, shift_x, shift_y, light = random.uniform(-1, 1, 8).tolist()
    angle, slant = math.radians(turn * ROTATION), math.radians(shear * SHEAR)
    # From a place in the view to a place in the photograph, both seen from the middle.
    matrix = (
        np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        @ np.array([[1, math.tan(slant)], [0, 1]])
        @ np.diag([(1 + zoom_x * ZOOM) * (-1 if flip < 0 else 1), 1 + zoom_y * ZOOM])
    )
    middle = np.array([size / 2, size / 2])
    # What comes in from beyond the edge repeats the edge: the margin holds the farthest that any view reaches.
    margin = size
    offset = middle + margin + np.array([shift_x, shift_y]) * SHIFT * size - matrix @ middle
    padded = Image.fromarray(np.pad(pixels, ((margin, margin), (margin, margin), (0, 0)), mode="edge"))
    coefficients = (*matrix[0], offset[0], *matrix[1], offset[1])
    image = padded.transform(
        (size, size), Image.Transform.AFFINE, coefficients, resample=Image.Resampling.BICUBIC
    )
    return np.asarray(ImageEnhance.Brightness(image).enhance(1 + light * BRIGHTNESS))
