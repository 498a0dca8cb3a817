"""Whether two photographs are one picture, by their pixels: laid over one another, then compared in what is drawn on them.

Features say what is on a photograph, which two shirts on a hanger have in common. What two versions of one picture have in
common, and two pictures have not, are the small things at their places. So one photograph is laid over the other by an affine
map (Lucas and Kanade's method, from coarse to fine, which takes a crop, a turn of some degrees or another shape), mirrored or
not, and the details are correlated block by block: shades, brightness and contrast play no part, and neither do a few blocks that differ,
as below a watermark or at a corner.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SIZE = 128  # pixels of the side of a picture that is compared
LEVELS = (16, 32, 64, 128)
ITERATIONS = (12, 8, 6, 4)
DETAIL = 4.0  # pixels: what is larger is no detail
NOISE = 0.8  # pixels: what is smaller is none either
BLOCK = 16  # pixels of the side of a block
LEAST_TEXTURE = 2.0  # grey levels that the details of a block spread, for it to tell anything
_EPS = 1e-6


@dataclass(frozen=True)
class Picture:
    """What is compared of a photograph.

    Attributes
    ----------
    grey : ndarray of shape (SIZE, SIZE), float32
    colour : ndarray of shape (2, 16, 16), float32
        How far from grey it is, in two directions.
    """

    grey: NDArray[np.float32]
    colour: NDArray[np.float32]

    @classmethod
    def of(cls, pixels: NDArray[np.uint8]) -> "Picture":
        """Return the picture in pixels (SIZE, SIZE, 3)."""
        red, green, blue = np.moveaxis(pixels.astype(np.float32), -1, 0)
        grey = 0.299 * red + 0.587 * green + 0.114 * blue
        return cls(grey, np.stack([_shrunk(red - grey, 16), _shrunk(blue - grey, 16)]))

    def mirrored(self) -> "Picture":
        """Return the picture as in a mirror."""
        return Picture(self.grey[:, ::-1], self.colour[:, :, ::-1])


def _shrunk(image: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Return a square image at a smaller size, each pixel the mean of those that it stands for."""
    step = len(image) // size
    return image.reshape(size, step, size, step).mean(axis=(1, 3))


def outline(picture: Picture) -> NDArray[np.float32]:
    """Return what a picture is like from far away, float32 (256,) of length one: whoever differs in that is another."""
    small = _shrunk(picture.grey, 16)
    small = small - small.mean()
    return (small / max(float(np.linalg.norm(small)), _EPS)).ravel()


def align(still: NDArray[np.float32], moving: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the affine map (2, 3) from places of one image to those of another, both from -1 to 1, that lays them over."""
    warp = np.array([[1.0, 0, 0], [0, 1, 0]])
    for size, iterations in zip(LEVELS, ITERATIONS, strict=True):
        a, b = (image if size == len(image) else _shrunk(image, size) for image in (still, moving))
        warp = _refined(a, b, warp, iterations)
    return warp


def _grid(size: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    places = (np.arange(size) + 0.5) * (2 / size) - 1
    y, x = np.meshgrid(places, places, indexing="ij")
    return x.ravel(), y.ravel()


def warped(
    image: NDArray[np.float32], warp: NDArray[np.float64], size: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return an image as a map lays it over another, flat, and where it has pixels there."""
    x, y = _grid(size)
    u = ((warp[0, 0] * x + warp[0, 1] * y + warp[0, 2]) + 1) * (size / 2) - 0.5
    v = ((warp[1, 0] * x + warp[1, 1] * y + warp[1, 2]) + 1) * (size / 2) - 0.5
    inside = (u >= 0) & (v >= 0) & (u <= size - 1) & (v <= size - 1)
    u, v = u.clip(0, size - 1.001), v.clip(0, size - 1.001)
    left, top = u.astype(np.int64), v.astype(np.int64)
    across, down = (u - left).astype(np.float32), (v - top).astype(np.float32)
    flat, at = image.ravel(), top * size + left
    upper = flat[at] * (1 - across) + flat[at + 1] * across
    lower = flat[at + size] * (1 - across) + flat[at + size + 1] * across
    return upper * (1 - down) + lower * down, inside


def _refined(
    still: NDArray[np.float32], moving: NDArray[np.float32], warp: NDArray[np.float64], iterations: int
) -> NDArray[np.float64]:
    size = len(still)
    x, y = _grid(size)
    slope_y, slope_x = (slope.ravel() * (size / 2) for slope in np.gradient(still))
    slopes = np.stack([slope_x * x, slope_x * y, slope_x, slope_y * x, slope_y * y, slope_y], axis=1)
    target = still.ravel().astype(np.float64)
    for _ in range(iterations):
        image, inside = warped(moving, warp, size)
        weight = inside.astype(np.float64)
        # Contrast and brightness of the one as of the other.
        for _ in range(2):
            total = max(weight.sum(), 1.0)
            a, b = weight @ target / total, weight @ image / total
            gain = weight @ ((target - a) * (image - b)) / max(weight @ (image - b) ** 2, _EPS)
            rest = (image - b) * gain - (target - a)
            scale = 1.5 * np.median(np.abs(rest[inside])) + 1.0 if inside.any() else 1.0
            weight = inside / (1 + (rest / (2 * scale)) ** 2)
        weighted = slopes * weight[:, None]
        step = np.linalg.lstsq(weighted.T @ slopes + np.eye(6) * 1e-3, weighted.T @ rest, rcond=None)[0]
        change = np.vstack([np.eye(2, 3) + step.reshape(2, 3), [0, 0, 1]])
        try:
            new = (np.vstack([warp, [0, 0, 1]]) @ np.linalg.inv(change))[:2]
        except np.linalg.LinAlgError:
            return warp
        if not np.isfinite(new).all() or np.abs(new - np.eye(2, 3)).max() > 0.6:
            return warp
        warp = new
        if np.abs(step).max() < 0.05 / size:
            break
    return warp


def details(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what is small on a picture, but not so small that saving it again changes it."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(image, NOISE) - gaussian_filter(image, DETAIL)


def block_correlations(
    still: NDArray[np.float32], moving: NDArray[np.float32], warp: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how the details agree in each block that has any, and how much there is in each."""
    size = len(still)
    over, inside = warped(moving, warp, size)
    over = np.where(inside, over, 0).reshape(size, size).astype(np.float32)
    # Beyond its edge a picture has no details.
    a, b = details(still), details(np.where(inside.reshape(size, size), over, still))
    blocks = size // BLOCK

    def cut(image: NDArray[np.float32]) -> NDArray[np.float32]:
        return image.reshape(blocks, BLOCK, blocks, BLOCK).swapaxes(1, 2).reshape(blocks * blocks, -1)

    whole = cut(inside.reshape(size, size)).mean(axis=1) > 0.9
    first, second = cut(a)[whole], cut(b)[whole]
    first = first - first.mean(axis=1, keepdims=True)
    second = second - second.mean(axis=1, keepdims=True)
    of_first, of_second = np.sqrt((first**2).mean(axis=1)), np.sqrt((second**2).mean(axis=1))
    correlation = (first * second).mean(axis=1) / (of_first * of_second + _EPS)
    return correlation, np.stack([of_first, of_second], axis=1)
