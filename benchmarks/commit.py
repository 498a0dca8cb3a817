"""What the commit protocol costs: rows per second at 1,024 rows per part, against appending without any safety.

    python benchmarks/commit.py [--rows 32768] [--dimension 1280]

The three write the same rows to the same disk, in turn:
``embed``       parts that are durable and checked before they count;
``h5py``        one HDF5 file, resized and written batch by batch, never flushed or synced before it is closed;
``h5py+sync``   the same with flush and fsync after each batch, which is still no protection against a kill.
"""

import os
import tempfile
import time
from pathlib import Path

import common
import h5py
import numpy as np

from embed.cache import FeatureWriter, Recipe

ROWS_PER_PART = 1024


def write_parts(folder, X, paths):
    recipe = Recipe(backbone="benchmark", weights="none", weights_sha256="", layer="", size=1, decoder=1)
    cache = folder / "cache"
    with FeatureWriter.open(cache, "data", folder, recipe, X.shape[1], rows_per_part=ROWS_PER_PART) as writer:
        for path, features in zip(paths, X, strict=True):
            writer.put(path, bytes(32), 1, 1, features)


def append(folder, X, paths, sync):
    with h5py.File(folder / "features.h5", "w") as file:
        columns = {
            "path": np.array(paths, "S16"),
            "sha256": np.zeros((len(X), 32), np.uint8),
            "size": np.ones(len(X), np.int64),
            "mtime_ns": np.ones(len(X), np.int64),
            "features": X,
        }
        for name, values in columns.items():
            shape = values.shape[1:]
            file.create_dataset(
                name, (0, *shape), values.dtype, maxshape=(None, *shape), chunks=(256, *shape)
            )
        for start in range(0, len(X), ROWS_PER_PART):
            for name, values in columns.items():
                batch = values[start : start + ROWS_PER_PART]
                file[name].resize(start + len(batch), axis=0)
                file[name][start:] = batch
            if sync:
                file.flush()
                os.fsync(file.id.get_vfd_handle())


def main():
    parser = common.arguments(__doc__)
    parser.add_argument("--rows", type=int, default=32_768)
    parser.add_argument("--dimension", type=int, default=1280)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    X = np.random.default_rng(0).random((arguments.rows, arguments.dimension), np.float32)
    paths = [f"{i:08d}.jpg" for i in range(len(X))]
    writers = {
        "h5py": lambda folder: append(folder, X, paths, sync=False),
        "h5py+sync": lambda folder: append(folder, X, paths, sync=True),
        "embed": lambda folder: write_parts(folder, X, paths),
    }
    seconds, processor = dict.fromkeys(writers, float("inf")), dict.fromkeys(writers, float("inf"))
    for _ in range(arguments.repeat):
        for name, write in writers.items():
            with tempfile.TemporaryDirectory(dir=".") as folder:
                start, start_processor = time.perf_counter(), time.process_time()
                write(Path(folder))
                seconds[name] = min(seconds[name], time.perf_counter() - start)
                processor[name] = min(processor[name], time.process_time() - start_processor)
    rows = [
        {
            "writer": name,
            "rows a second": len(X) / seconds[name],
            "times h5py without safety": seconds["h5py"] / seconds[name],
            "processor microseconds a row": 1e6 * processor[name] / len(X),
        }
        for name in writers
    ]
    common.save("commit", {"rows": len(X), "dimension": arguments.dimension, "writing": rows})
    common.print_table(rows)


if __name__ == "__main__":
    main()
