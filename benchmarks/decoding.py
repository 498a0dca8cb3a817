"""What the choices of the decoder cost and what they change.

``python benchmarks/decoding.py draft``: large photographs, put together from those of clothes, decoded in full and with
the JPEG decoder's own scaling, which leaves at least `margin` times the size that is wanted: the lowest cosine of
the features of the two, and the processor time of the one in terms of the other. On the first six of each:

    2,000 × 2,000 pixels    margin 2: 0.9987, 0.35    margin 4: 0.9996, 0.51
    2,800 × 2,800 pixels    margin 3: 0.9995, 0.37    margin 4: 0.9999, 0.50

``python benchmarks/decoding.py resize``: filters and ways to make a photograph square; accuracy of a logistic regression
on the features, 5-fold cross-validation repeated three times on the training photographs of both data sets. With
243 photographs of ants and bees, and 1,023 of clothes:

    stretch, bilinear    0.970    0.824        crop, bilinear    0.970    0.827
    stretch, bicubic     0.971    0.825        pad, bilinear     0.958    0.824 (on grey)
    stretch, lanczos     0.977    0.828

One standard error is 0.011 and 0.012. Shrinking 400 × 533 pixels takes 1.8 ms (bilinear), 3.1 ms (bicubic) and 4.5 ms
(lanczos) of a busy processor; decoding them 1.1 ms.

Needs the photographs and the ImageNet weights of MobileNetV2 in ../shared.
"""

import io
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import common
import numpy as np
from PIL import Image

from embed.backbones import Network, open_runtime
from embed.images import Resize
from embed.images import decode as decoding

SIZE = 224
COLUMNS = {
    5: (2, 4),
    7: (3, 4),
}  # photographs in a row of a large one: the margins that change what is decoded
FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
BATCH = 32


def features(
    root: Path, pixels: Callable[[bytes], np.ndarray], size: int, every: int = 1
) -> tuple[list[str], np.ndarray]:
    """Return the paths and the features of the photographs below a folder, decoded by the function given."""
    runtime = open_runtime(Network("mobilenetv2", size=size))
    paths = [str(file.relative_to(root)) for file in sorted(root.rglob("*.jpg"))][::every]

    def batches() -> Iterator[np.ndarray]:
        for i in range(0, len(paths), BATCH):
            yield np.stack([pixels((root / path).read_bytes()) for path in paths[i : i + BATCH]])

    return paths, np.concatenate([runtime.run(batch) for batch in batches()])


def cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the cosine of each pair of rows."""
    return (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def mosaics(columns: int, count: int) -> Iterator[bytes]:
    """Yield large JPEGs, each of columns × columns photographs of clothes."""
    root = common.clothing()
    paths = sorted(root.rglob("*.jpg"))[::9]
    for i in range(count):
        mosaic = Image.new("RGB", (400 * columns, 400 * columns))
        for j in range(columns**2):
            with Image.open(paths[(i * columns**2 + j) % len(paths)]) as image:
                mosaic.paste(image.crop((0, 0, 400, 400)), (400 * (j % columns), 400 * (j // columns)))
        stream = io.BytesIO()
        mosaic.save(stream, "JPEG", quality=92)
        yield stream.getvalue()


def draft(count: int = 6) -> None:
    """Compare features with and without scaling in the JPEG decoder."""
    runtime = open_runtime(Network("mobilenetv2"))
    results = {}
    for columns, margins in COLUMNS.items():
        data = list(mosaics(columns, count))
        full, full_seconds = decoded(data, margin=10**6)
        expected = runtime.run(full)
        for margin in margins:
            scaled, seconds = decoded(data, margin)
            lowest = float(cosine(expected, runtime.run(scaled)).min())
            results[f"{400 * columns} pixels, margin {margin}"] = {
                "cosine": lowest,
                "time": seconds / full_seconds,
            }
    common.save("decoding-draft", results)
    common.print_table({"photographs": name, **row} for name, row in results.items())


def pixels_of(data: bytes, resize: Resize) -> np.ndarray:
    """Return the pixels of a JPEG, decoded in this process, where the choices of the decoder can be changed."""
    return np.asarray(decoding.decode(data, "JPEG", resize))


def decoded(data: list[bytes], margin: int) -> tuple[np.ndarray, float]:
    """Return the pixels of photographs and the seconds of processor time that they took."""
    decoding.DRAFT_MARGIN = margin
    start = time.thread_time()
    pixels = np.stack([pixels_of(one, Resize(SIZE)) for one in data])
    return pixels, time.thread_time() - start


def resize() -> None:
    """Compare the accuracy with filters and fits."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
    from sklearn.preprocessing import normalize

    results = {}
    for name, root, every in (
        ("ants and bees", common.clothing().parent / "ants_bees" / "train", 1),
        ("clothing, every third", common.clothing() / "train", 3),
    ):
        for filter_name, fit in [
            *((f, "stretch") for f in FILTERS),
            ("bilinear", "crop"),
            ("bilinear", "pad"),
        ]:
            decoding._FILTER = FILTERS[filter_name]
            way = Resize(SIZE, fit)
            paths, X = features(root, lambda data, way=way: pixels_of(data, way), SIZE, every)
            folds = RepeatedStratifiedKFold(n_splits=5, n_repeats=3, random_state=0)
            head = LogisticRegression(C=100, max_iter=300)
            y = [path.split("/")[0] for path in paths]
            accuracy = float(cross_val_score(head, normalize(X), y, cv=folds).mean())
            results[f"{name}: {fit}, {filter_name}"] = {
                "accuracy": accuracy,
                "photographs": len(y),
            }
            print(f"{name}: {fit}, {filter_name}: {accuracy:.4f}", file=sys.stderr)
    common.save("decoding-resize", results)
    common.print_table({"way": name, **row} for name, row in results.items())


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("what", nargs="?", choices=("draft", "resize"), default="draft")
    {"draft": draft, "resize": resize}[parser.parse_args().what]()


if __name__ == "__main__":
    main()
