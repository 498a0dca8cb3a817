"""Whether two photographs are one picture, by their pixels: laid over one another, then compared in what is drawn on them.

Features say what is on a photograph, which two shirts on a hanger have in common. What two versions of one picture have in
common, and two pictures have not, are the small things at their places. So one photograph is laid over the other by an affine
map (Lucas and Kanade's method, from coarse to fine, which takes a crop, a turn of some degrees or another shape), mirrored or
not, and the details are correlated block by block: shades, brightness and contrast play no part, and neither do a few blocks that
differ, as below a watermark or at a corner. Many pairs are laid over at once.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZE = 128  # pixels of the side of a picture that is compared
OUTLINE = 16  # pixels of the side of what is left of it from far away
COARSE = ((16, 6), (32, 5), (64, 4))  # sizes at which pictures are laid over, and steps at each
FINE = (SIZE, 3)
LEAST_OUTLINE = 0.5  # correlation from far away, below which nothing is laid over anything
NEARLY = 0.25  # that one way round may be less alike from far away than the other, to be tried as well
LEAST_COARSE = 0.65  # of the details of pictures of 64 pixels, below which no finer ones are looked at
PROMISING = 0.5  # of those, from which the other picture is laid over this one too
FARTHEST = 0.6  # that a map may be from laying everything where it is, of half a picture
DETAIL, NOISE = 4.0, 0.8  # pixels: what is larger is no detail, and neither is what is smaller
BLOCK = 16  # pixels of the side of a block
LEAST_TEXTURE = 2.0  # grey levels that the details of a block spread, for it to tell anything
AGREES = 0.5  # correlation from which the details of a block are the same
LEAST_SHARE = 0.7  # of the blocks with details that have to agree
LEAST_MEAN = 0.9  # correlation of all details, by how much there is of them
FAR, LEAST_MEAN_FAR = (
    0.16,
    0.97,
)  # the same where the map is this far from leaving all where it is: another shot comes close
LEAST_BLOCKS = 4  # with details
LEAST_COLOUR = 6.0  # grey levels from grey, on average: less is a picture without colours
LEAST_HUE = 0.5  # correlation of the colours of two pictures that have some
AT_ONCE = 1 << 18  # pixels of the pictures that are laid over at once
_EPS = 1e-6

Images = NDArray[np.float32]  # (n, size, size)
Maps = NDArray[np.float32]  # (n, 2, 3): from places of one image to those of another, both from -1 to 1


def grey(pixels: NDArray[np.uint8]) -> Images:
    """Return pixels (n, SIZE, SIZE, 3) without colours."""
    plain: Images = np.matmul(pixels.astype(np.float32), np.array([0.299, 0.587, 0.114], np.float32))
    return plain


def outlines(pixels: NDArray[np.uint8]) -> Images:
    """Return what pictures (n, SIZE, SIZE, 3) are like from far away: (n, OUTLINE, OUTLINE), each of length one."""
    small = shrunk(grey(pixels), OUTLINE)
    small -= small.mean(axis=(1, 2), keepdims=True)
    small /= np.maximum(np.sqrt((small**2).sum(axis=(1, 2), keepdims=True)), _EPS)
    return small


def shrunk(images: NDArray[Any], size: int) -> NDArray[Any]:
    """Return square images at a smaller size, each pixel the mean of those that it stands for."""
    step = images.shape[1] // size
    return images.reshape(len(images), size, step, size, step).mean(axis=(2, 4), dtype=np.float32)


def same(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which pairs of pictures, pixels (n, SIZE, SIZE, 3) each, are one picture; bool (n,)."""
    found = np.zeros(len(first), bool)
    ours, theirs = outlines(first), outlines(second)
    turns = (slice(None), slice(None, None, -1))  # as it is, and as in a mirror
    alike = np.stack([np.einsum("nij,nij->n", ours, theirs[:, :, turn]) for turn in turns])
    for likelier in (True, False):
        for number, turn in enumerate(turns):
            way = (alike.argmax(axis=0) == number) == likelier
            way &= alike[number] >= np.maximum(LEAST_OUTLINE, alike.max(axis=0) - NEARLY)
            asked = np.flatnonzero(way & ~found)
            promising = _compare(first, second[:, :, turn], asked, found)
            # The smaller of the two is found in the larger, and not always the other way round.
            _compare(second[:, :, turn], first, promising[~found[promising]], found)
    return found


def _compare(
    first: NDArray[np.uint8], second: NDArray[np.uint8], asked: NDArray[np.int64], found: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Note which of the pairs that are asked about are one picture, and return those of which that is not out of the question."""
    stills, movings = grey(first[asked]), grey(second[asked])
    maps, likeness = _coarse(stills, movings)
    left = np.flatnonzero(likeness >= LEAST_COARSE)
    for some in _portions(len(left), SIZE):
        pairs = left[some]
        fine = _refined(stills[pairs], movings[pairs], maps[pairs], FINE[1])
        share, mean, blocks = agreement(stills[pairs], movings[pairs], fine)
        far = np.abs(fine - np.eye(2, 3, dtype=np.float32)).max(axis=(1, 2)) > FAR
        agree = (blocks >= LEAST_BLOCKS) & (share >= LEAST_SHARE)
        agree &= mean >= np.where(far, LEAST_MEAN_FAR, LEAST_MEAN)
        of = asked[pairs]
        found[of] = agree & _of_one_colour(first[of], second[of], fine)
    return asked[likeness >= PROMISING]


def _portions(count: int, size: int) -> list[slice]:
    step = max(1, AT_ONCE // size**2)
    return [slice(start, start + step) for start in range(0, count, step)]


def _coarse(stills: Images, movings: Images) -> tuple[Maps, NDArray[np.float32]]:
    """Return the maps that lay pictures over others, as coarse ones say, and how alike those are then in their details."""
    size = COARSE[-1][0]
    maps = np.tile(np.eye(2, 3, dtype=np.float32), (len(stills), 1, 1))
    likeness = np.zeros(len(stills), np.float32)
    for some in _portions(len(stills), size):
        for level, steps in COARSE:
            maps[some] = _refined(
                shrunk(stills[some], level), shrunk(movings[some], level), maps[some], steps
            )
        still = shrunk(stills[some], size)
        over, inside = warped(shrunk(movings[some], size), maps[some])
        a, b = (
            _details(one, DETAIL * size / SIZE, NOISE * size / SIZE) * inside
            for one in (still, np.where(inside, over, still))
        )
        product, ours, theirs = (np.einsum("nij,nij->n", x, y) for x, y in ((a, b), (a, a), (b, b)))
        likeness[some] = product / (np.sqrt(ours * theirs) + _EPS)
    return maps, likeness


def _grid(size: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    places = ((np.arange(size, dtype=np.float32) + 0.5) * (2 / size) - 1).astype(np.float32)
    y, x = np.meshgrid(places, places, indexing="ij")
    return x, y


def warped(images: NDArray[np.float32], maps: Maps) -> tuple[Images, NDArray[np.bool_]]:
    """Return images (n, size, size) as maps lay them over others, and where they have pixels there."""
    count, size = images.shape[:2]
    x, y = _grid(size)
    u, v = (
        (row[:, 0, None, None] * x + row[:, 1, None, None] * y + row[:, 2, None, None] + 1) * (size / 2) - 0.5
        for row in (maps[:, 0], maps[:, 1])
    )
    inside = (u >= 0) & (v >= 0) & (u <= size - 1) & (v <= size - 1)
    u, v = u.clip(0, size - 1.001), v.clip(0, size - 1.001)
    left, top = u.astype(np.int32), v.astype(np.int32)
    across, down = u - left, v - top
    at = (np.arange(count, dtype=np.int64) * size**2)[:, None, None] + top * size + left
    flat = images.ravel()
    upper = flat[at]
    upper += (flat[at + 1] - upper) * across
    lower = flat[at + size]
    lower += (flat[at + size + 1] - lower) * across
    return upper + (lower - upper) * down, inside


def _refined(stills: Images, movings: Images, maps: Maps, steps: int) -> Maps:
    """Return maps that lay pictures over others better: some steps of Gauss and Newton, in which what differs counts little."""
    count, size = stills.shape[:2]
    x, y = (one.ravel() for one in _grid(size))
    slope_y, slope_x = (
        one.reshape(count, -1) * np.float32(size / 2) for one in np.gradient(stills, axis=(1, 2))
    )
    slopes = np.stack([slope_x * x, slope_x * y, slope_x, slope_y * x, slope_y * y, slope_y], axis=1)
    target = stills.reshape(count, -1)
    weight: NDArray[np.float32] | None = None
    for _ in range(steps):
        over, inside = warped(movings, maps)
        over, within = over.reshape(count, -1), inside.reshape(count, -1).astype(np.float32)
        weight = within if weight is None else weight * within
        for _ in range(2):  # contrast and brightness of the one as of the other
            total = np.maximum(weight.sum(axis=1), 1)
            a = target - (np.einsum("np,np->n", weight, target) / total)[:, None]
            b = over - (np.einsum("np,np->n", weight, over) / total)[:, None]
            gain = np.einsum("np,np,np->n", weight, a, b) / (np.einsum("np,np,np->n", weight, b, b) + _EPS)
            rest = b * gain[:, None] - a
            scale = 2.5 * np.einsum("np,np->n", weight, np.abs(rest)) / total + 1
            weight = within / (1 + (rest / scale[:, None]) ** 2)
        weighted = slopes * weight[:, None, :]
        curvature = weighted @ slopes.swapaxes(1, 2)
        curvature += np.eye(6, dtype=np.float32) * (
            1e-4 * np.trace(curvature, axis1=1, axis2=2)[:, None, None] + 1e-3
        )
        step = np.linalg.solve(curvature, weighted @ rest[:, :, None])[:, :, 0]
        change = np.tile(np.eye(3, dtype=np.float32), (count, 1, 1))
        change[:, :2] += step.reshape(count, 2, 3).clip(-FARTHEST / 2, FARTHEST / 2)
        whole = np.tile(np.eye(3, dtype=np.float32), (count, 1, 1))
        whole[:, :2] = maps
        new = (whole @ np.linalg.inv(change))[:, :2]
        good = np.isfinite(new).all(axis=(1, 2)) & (np.abs(new - np.eye(2, 3)).max(axis=(1, 2)) < FARTHEST)
        maps = np.where(good[:, None, None], new, maps).astype(np.float32)
    return maps


def _details(images: NDArray[np.float32], larger: float, smaller: float) -> Images:
    """Return what is small on pictures, but not so small that saving them again changes it."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(images, smaller, axes=(1, 2)) - gaussian_filter(images, larger, axes=(1, 2))


def agreement(
    stills: Images, movings: Images, maps: Maps
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Return which share of the blocks with details agree, how much they do on average, and how many there are; each (n,)."""
    over, inside = warped(movings, maps)
    # Beyond its edge a picture has no details.
    a, b = (_details(one, DETAIL, NOISE) for one in (stills, np.where(inside, over, stills)))
    first, second, within = map(_blocks, (a, b, inside.astype(np.float32)))
    first, second = (one - one.mean(axis=2, keepdims=True) for one in (first, second))
    ours, theirs = (np.sqrt((one**2).mean(axis=2)) for one in (first, second))
    correlation = (first * second).mean(axis=2) / (ours * theirs + _EPS)
    telling = (within.mean(axis=2) > 0.9) & (np.maximum(ours, theirs) >= LEAST_TEXTURE)
    count = telling.sum(axis=1)
    share = (telling & (correlation >= AGREES)).sum(axis=1) / np.maximum(count, 1)
    weight = np.minimum(ours, theirs) * telling
    return share, (weight * correlation).sum(axis=1) / (weight.sum(axis=1) + _EPS), count


def _blocks(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the blocks of pictures, flat: (n, blocks, pixels)."""
    count, side = len(images), images.shape[1] // BLOCK
    cut = images.reshape(count, side, BLOCK, side, BLOCK).swapaxes(2, 3)
    return cut.reshape(count, side * side, BLOCK * BLOCK)


def _of_one_colour(first: NDArray[np.uint8], second: NDArray[np.uint8], maps: Maps) -> NDArray[np.bool_]:
    """Return which pairs have the same colours, where both have any: the red shirt is not the blue one."""
    ours, theirs = (_colours(pixels) for pixels in (first, second))
    over = np.concatenate([warped(theirs[:, channel], maps)[0][:, None] for channel in (0, 1)], axis=1)
    inside = warped(theirs[:, 0], maps)[1][:, None]
    a, b = ours * inside, over * inside
    strong = [
        np.sqrt((one**2).sum(axis=(1, 2, 3)) / np.maximum(inside.sum(axis=(1, 2, 3)), 1)) for one in (a, b)
    ]
    correlation = (a * b).sum(axis=(1, 2, 3)) / (
        np.sqrt((a**2).sum(axis=(1, 2, 3)) * (b**2).sum(axis=(1, 2, 3))) + _EPS
    )
    return (np.minimum(*strong) < LEAST_COLOUR) | (correlation >= LEAST_HUE)


def _colours(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how far from grey pictures are in two directions: (n, 2, OUTLINE, OUTLINE)."""
    plain = grey(pixels)
    return np.stack([shrunk(pixels[..., channel] - plain, OUTLINE) for channel in (0, 2)], axis=1)
