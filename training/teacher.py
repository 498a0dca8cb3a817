"""What the teacher sees: MobileNetV2's last map of features, for several crops of every training picture.

    python -m training.teacher 0 1 2 3

writes work/view<i>-boxes.npy (40000, 4), left, top, right, bottom as fractions of the picture, and
work/view<i>.npy (40000, 4, 4, 256) float16: the map, projected on principal components. View 0 is the whole
picture; the others are random crops, always the same (seeded). Run again after an interruption: views that are
complete are kept. One thread; on several cores start it several times, for different views.
"""

import argparse
import os
import time

import numpy as np
import torch
from torch.nn import functional

from training.data import HELD_OUT, SHARED, WORK, pictures

COMPONENTS = 256  # principal components of the teacher's pooled features that are kept
WHITENING = 0.5  # each component is divided by its standard deviation to this power
BASIS_PICTURES = 4000  # training pictures that the components are computed from
CELLS = 4  # rows and columns of the map of targets
TEACHER_SIZE = 128  # pixels, each side
SMALLEST_AREA = 0.35  # of the picture, in a random crop
ASPECT = (3 / 4, 4 / 3)


def export() -> str:
    """Export MobileNetV2 (pixels 0..255 in, last map of features out) for OpenVINO once; return the path."""
    path = WORK / "teacher.xml"
    if not path.exists():
        WORK.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("KERAS_HOME", str(SHARED / "keras_home"))
        import keras

        inputs = keras.Input((None, None, 3))
        network = keras.applications.MobileNetV2(include_top=False, input_shape=(None, None, 3))
        model = keras.Model(inputs, network(keras.layers.Rescaling(1 / 127.5, offset=-1)(inputs)))
        model.export(str(path), format="openvino", verbose=False)
    return str(path)


def compile_teacher(size: int, batch: int):
    """The exported teacher, compiled for one thread and batches of `batch` pictures of `size` pixels."""
    import openvino

    core = openvino.Core()
    model = core.read_model(export())
    model.reshape([batch, size, size, 3])
    return core.compile_model(
        model,
        "CPU",
        {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1, "ENABLE_CPU_PINNING": False},
    )


def random_boxes(count: int, seed: int) -> np.ndarray:
    """Random crops, float32 of shape (count, 4): left, top, right, bottom in 0..1."""
    rng = np.random.default_rng(seed)
    area = rng.uniform(SMALLEST_AREA, 1, count)
    aspect = np.exp(rng.uniform(*np.log(ASPECT), count))
    width = np.minimum(np.sqrt(area * aspect), 1)
    height = np.minimum(np.sqrt(area / aspect), 1)
    left = rng.uniform(0, 1, count) * (1 - width)
    top = rng.uniform(0, 1, count) * (1 - height)
    return np.stack([left, top, left + width, top + height], axis=1).astype(np.float32)


def crop(batch: torch.Tensor, box: torch.Tensor, size: int | tuple[int, int]) -> torch.Tensor:
    """Cut `box` (n, 4) out of each picture (n, 3, h, w) and resize it to `size` pixels, bilinear."""
    height, width = (size, size) if isinstance(size, int) else size
    across = (torch.arange(width, dtype=torch.float32, device=box.device) + 0.5) / width
    down = (torch.arange(height, dtype=torch.float32, device=box.device) + 0.5) / height
    x = box[:, 0:1] + (box[:, 2:3] - box[:, 0:1]) * across
    y = box[:, 1:2] + (box[:, 3:4] - box[:, 1:2]) * down
    grid = (
        torch.stack([x[:, None, :].expand(-1, height, -1), y[:, :, None].expand(-1, -1, width)], dim=-1) * 2
        - 1
    )
    return functional.grid_sample(batch, grid, mode="bilinear", padding_mode="border", align_corners=False)


def look(teacher, source: np.ndarray, box: np.ndarray, size: int) -> torch.Tensor:
    """The teacher's map for crops of pictures: (n, CELLS, CELLS, 1280)."""
    batch = torch.from_numpy(source.astype(np.float32)).permute(0, 3, 1, 2)
    seen = crop(batch, torch.from_numpy(box), size)
    features = torch.from_numpy(teacher(seen.permute(0, 2, 3, 1).contiguous().numpy())[0])
    return functional.adaptive_avg_pool2d(features.permute(0, 3, 1, 2), CELLS).permute(0, 2, 3, 1)


def principal_components(teacher, source: np.ndarray, size: int, batch: int) -> tuple[torch.Tensor, ...]:
    """Mean (1280,) of the teacher's pooled features of whole training pictures, and their axes (1280, 256)."""
    whole = np.tile(np.float32([0, 0, 1, 1]), (batch, 1))
    starts = range(HELD_OUT, HELD_OUT + BASIS_PICTURES, batch)
    maps = (look(teacher, source[start : start + batch], whole, size) for start in starts)
    features = torch.cat([each.mean((1, 2)) for each in maps])
    mean = features.mean(0)
    variance, axes = torch.linalg.eigh((features - mean).T @ (features - mean) / len(features))
    order = variance.argsort(descending=True)[:COMPONENTS]
    return mean, axes[:, order] / variance[order] ** (WHITENING / 2)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("views", type=int, nargs="+", help="which views, for example 0 1 2 3")
    parser.add_argument("--size", type=int, default=TEACHER_SIZE, help="pixels the teacher sees")
    parser.add_argument("--batch", type=int, default=50)
    options = parser.parse_args()

    torch.set_num_threads(1)
    source = pictures()
    teacher = compile_teacher(options.size, options.batch)
    mean, axes = principal_components(teacher, source, options.size, options.batch)
    for view in options.views:
        path = WORK / f"view{view}.npy"
        if path.exists():
            continue
        whole = np.tile(np.float32([0, 0, 1, 1]), (len(source), 1))
        box = random_boxes(len(source), seed=view) if view else whole
        features = np.empty((len(source), CELLS, CELLS, COMPONENTS), np.float16)
        started = time.perf_counter()
        for start in range(0, len(source), options.batch):
            rows = slice(start, start + options.batch)
            features[rows] = ((look(teacher, source[rows], box[rows], options.size) - mean) @ axes).numpy()
            if start % 4000 == 0:
                speed = (start + options.batch) / (time.perf_counter() - started)
                print(f"view {view}: {start} pictures, {speed:.0f} a second", flush=True)
        np.save(WORK / f"view{view}-boxes.npy", box)
        partial = WORK / f"view{view}.partial.npy"
        np.save(partial, features)
        partial.replace(path)


if __name__ == "__main__":
    main()
