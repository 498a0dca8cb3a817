"""What the student is shown: crops of the training pictures, changed at random, with the targets of each."""

import argparse

import numpy as np
import torch
from torch.nn import functional

from training.data import CLASSES, WORK
from training.teacher import CELLS, COMPONENTS, crop

LABEL_SMOOTHING = 0.1
SHARPENED = 0.5  # part of the single pictures that are sharpened


def load_targets(views: int) -> tuple[torch.Tensor, list[np.ndarray]]:
    """Boxes (views, pictures, 4) and for every view the teacher's maps (pictures, 4, 4, 256), float16."""
    boxes = [torch.from_numpy(np.load(WORK / f"view{view}-boxes.npy")) for view in range(views)]
    return torch.stack(boxes), [np.load(WORK / f"view{view}.npy", mmap_mode="r") for view in range(views)]


def teacher_maps(targets: list[np.ndarray], views: np.ndarray, rows: np.ndarray) -> torch.Tensor:
    """The teacher's map (n, 256, 4, 4), float32, for view `views[i]` of picture `rows[i]`."""
    maps = np.empty((len(rows), CELLS, CELLS, COMPONENTS), np.float32)
    for i, (view, row) in enumerate(zip(views, rows, strict=True)):
        maps[i] = targets[view][row]
    return torch.from_numpy(maps).permute(0, 3, 1, 2)


def recolour(batch: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Change brightness, contrast and saturation of each picture, by one 3×3 matrix and one shift."""

    def random(low: float, high: float) -> torch.Tensor:
        return torch.from_numpy(rng.uniform(low, high, (len(batch), 1, 1)).astype(np.float32)).to(
            batch.device
        )

    pixels = batch.flatten(2)
    saturation, contrast, brightness = random(0.6, 1.4), random(0.7, 1.3), random(0.75, 1.25)
    grey = torch.full((3, 3), 1 / 3, device=batch.device)
    matrix = brightness * contrast * (grey + saturation * (torch.eye(3, device=batch.device) - grey))
    shift = brightness * (1 - contrast) * pixels.mean((1, 2), keepdim=True)
    return torch.baddbmm(shift, matrix, pixels).view(batch.shape)


def sharpen(pixels: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Undo, for some of the pictures, some of the blur that enlarging them left."""
    count = int(len(pixels) * SHARPENED)
    chosen = torch.from_numpy(rng.permutation(len(pixels))[:count]).to(pixels.device)
    strength = torch.from_numpy(rng.uniform(0, 2.5, (count, 1, 1, 1)).astype(np.float32)).to(pixels.device)
    blurred = pixels[chosen]
    for _ in range(2):
        blurred = functional.avg_pool2d(blurred, 3, 1, 1, count_include_pad=False)
    pixels[chosen] += strength * (pixels[chosen] - blurred)
    return pixels


def mosaic(
    batch: torch.Tensor,
    box: torch.Tensor,
    teacher: torch.Tensor,
    classes: torch.Tensor,
    size: int,
    rng: np.random.Generator,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Four pictures in each square, sharp because small, and their targets put together likewise."""
    tiles = functional.avg_pool2d(crop(batch, box, size), 2)  # twice the size first, against aliasing
    cells = functional.avg_pool2d(teacher, 2)
    orders = [torch.from_numpy(rng.permutation(len(batch))).to(batch.device) for _ in range(4)]

    def joined(parts: torch.Tensor) -> torch.Tensor:
        upper, lower = (torch.cat([parts[a], parts[b]], dim=3) for a, b in (orders[:2], orders[2:]))
        return torch.cat([upper, lower], dim=2)

    return joined(tiles), joined(cells), sum(classes[order] for order in orders) / 4


def make_batch(
    data: dict, options: argparse.Namespace, rows: np.ndarray, size: int, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pixels (n, 3, size, size), the teacher's maps (n, 256, 4, 4) and the class probabilities (n, 200)."""
    device = data["pictures"].device
    views = rng.integers(options.views, size=len(rows))
    teacher = teacher_maps(data["targets"], views, rows).to(device)
    rows, views = torch.from_numpy(rows), torch.from_numpy(views)
    batch = (
        data["pictures"][rows].permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
    )
    batch, box = recolour(batch, rng), data["boxes"][views, rows]
    classes = (
        functional.one_hot(data["labels"][rows], CLASSES) * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / CLASSES
    )
    mirrored = torch.from_numpy(rng.random(len(rows)) < 0.5).to(device)
    box = torch.where(mirrored[:, None], box[:, [2, 1, 0, 3]], box)
    teacher = torch.where(mirrored[:, None, None, None], teacher.flip(3), teacher)
    single = len(rows) - int(len(rows) * options.mosaic * (size > options.mosaic_above))
    pixels = sharpen(crop(batch[:single], box[:single], size), rng)
    if single < len(rows):
        four = mosaic(batch[single:], box[single:], teacher[single:], classes[single:], size, rng)
        pixels = torch.cat([pixels, four[0]])
        teacher, classes = torch.cat([teacher[:single], four[1]]), torch.cat([classes[:single], four[2]])
    return pixels.clamp_(0, 255), teacher, classes
