"""Duplicates and doubtful labels: what is found at the defaults, and how long it takes.

    python benchmarks/duplicates.py [--photographs 500] [--vectors 50000]

Edited copies of photographs (clothing) are compared with the whole set: recall is the share of copies that are found, precision
the share of pairs found that are a copy and its original. Then so many vectors mixed from real features are compared
with one another, and labels are flipped at random.
"""

import csv
import io
import os
import sys
import tempfile
import time
from pathlib import Path

import common
import numpy as np
from PIL import Image, ImageOps

from embed.cache import open_features
from embed.extract import embed_files
from embed.labels import assign
from embed.learn import mislabelled
from embed.search.duplicates import THRESHOLD, near_pairs
from embed.search.vectors import normalised

FLIPPED_LABELS = 0.05
TOP = 0.10
SEED = 0


def _scaled(image: Image.Image, factor: float) -> Image.Image:
    return image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)


def _cropped(image: Image.Image, share: float) -> Image.Image:
    x, y = round(image.width * share), round(image.height * share)
    return image.crop((x, y, image.width - x, image.height - y))


EDITS = {
    "flipped": (ImageOps.mirror, 90),
    "half the size": (lambda image: _scaled(image, 0.5), 90),
    "saved again, quality 50": (lambda image: image, 50),
    "saved again, quality 30": (lambda image: image, 30),
    "3 % cropped on each side": (lambda image: _cropped(image, 0.03), 90),
    "5 % cropped on each side": (lambda image: _cropped(image, 0.05), 90),
}


def edited_copies(features, photographs: int) -> list[dict[str, object]]:
    """Return precision and recall for each kind of edit."""
    X = normalised(features.X)
    chosen = np.sort(np.random.default_rng(SEED).permutation(len(X))[:photographs])
    rows = []
    for name, (edit, quality) in EDITS.items():
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for row in chosen:
                image = Image.open(features.root / features.paths[row]).convert("RGB")
                files.append(Path(folder) / f"{row}.jpg")
                edit(image).save(files[-1], quality=quality)
            copies = normalised(np.stack([one.features[0] for one in embed_files(files, features)]))
        similarity = copies @ X.T
        found = similarity >= THRESHOLD
        right = found[np.arange(len(chosen)), chosen].sum()
        rows.append({"edit": name, "recall": right / len(chosen), "precision": right / max(1, found.sum())})
        print(rows[-1], file=sys.stderr)
    return rows


def comparing(features, count: int) -> dict[str, float]:
    """Time the search for near pairs among vectors that are each the mean of two photographs."""
    X = normalised(features.X)
    generator = np.random.default_rng(SEED)
    mixed = normalised(X[generator.integers(0, len(X), count)] + X[generator.integers(0, len(X), count)])
    start = time.perf_counter()
    pairs = sum(len(i) for i, _, _ in near_pairs(mixed, THRESHOLD))
    return {"vectors": count, "pairs": pairs, "seconds": time.perf_counter() - start}


def wrong_labels(features) -> dict[str, float]:
    """Flip labels at random and return the share of them among the most doubtful tenth."""
    generator = np.random.default_rng(SEED)
    labelled = assign(features.paths.tolist())
    labels = labelled.labels.copy()
    flipped = generator.choice(len(labels), round(FLIPPED_LABELS * len(labels)), replace=False)
    for row in flipped:
        labels[row] = generator.choice([label for label in labelled.classes if label != labels[row]])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "labels.csv"
        table = io.StringIO()
        csv.writer(table).writerows([("path", "label"), *zip(features.paths, labels, strict=True)])
        file.write_text(table.getvalue())
        start = time.perf_counter()
        issues = mislabelled(features, label_rule=f"csv:{file}")
        seconds = time.perf_counter() - start
    top = {issue.path for issue in issues[: round(TOP * len(labels))]}
    hit = sum(features.paths[row] in top for row in flipped) / len(flipped)
    return {"flipped": len(flipped), "in the most doubtful tenth": hit, "seconds": seconds}


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--photographs", type=int, default=500)
    parser.add_argument("--vectors", type=int, default=50_000)
    common.takes_cache(parser)
    options = parser.parse_args()
    os.environ.update(common.environment())
    with tempfile.TemporaryDirectory() as folder:
        features = open_features(common.cached(options.cache, folder, "clothing"))
        results = {"threshold": THRESHOLD, "edits": edited_copies(features, options.photographs)}
        results["comparing"] = comparing(features, options.vectors)
        results["wrong labels"] = wrong_labels(features)
    common.save("duplicates", results)
    for part in (results["edits"], [results["comparing"]], [results["wrong labels"]]):
        common.print_table(part)


if __name__ == "__main__":
    main()
