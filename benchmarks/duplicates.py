"""Duplicates: which edited copies are found, what is called the same picture and is not, and how long comparing takes.

    python benchmarks/duplicates.py [--copies 300] [--vectors 50000] [--keep FOLDER] [--sheets FOLDER] [--only clothing tiny ...]

For each of eight edits copies of so many photographs are put beside all of a set, and `duplicates` is asked as it is by default. Recall
is the share of copies in one group with their original; precision the share of pairs (the first of a group and another) that are one
picture: a copy and its original, or two photographs that were judged the same by looking at them (`judged.csv`; a pair that is not in it
counts as wrong).

Then sets as they are: clothing, ants and bees, the two halves of tiny-imagenet (20,000 photographs of 64 × 64 pixels each) and pages of
text. What is set by hand was set on clothing and the first half. `--sheets` writes a page of the pairs that have not been judged yet;
`--keep` keeps features and copies for the next run.
"""

import csv
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import common
import numpy as np
from PIL import Image

from embed.api import Features
from embed.backbones import Network
from embed.cache import FeatureCache, open_features
from embed.extract import FeatureOptions, extract_features
from embed.search import DuplicateGroup, verdicts
from embed.search.duplicates import duplicates
from embed.search.pairs import near_pairs
from embed.search.vectors import normalised

sys.path.insert(0, str(common.ROOT / "tests" / "support"))
from edited import EDITS, page  # the edits, as the tests have them

JUDGED = Path(__file__).with_name("judged.csv")
PAGES = 200
NEAR = 0.92  # similarity of the pairs whose search is timed
SEED = 0
Pair = tuple[str, str]  # of contents


def judged() -> dict[Pair, bool]:
    """Return which pairs of contents were judged the same picture, and which not."""
    if not JUDGED.exists():
        return {}
    with JUDGED.open(newline="") as stream:
        return {(row["first"], row["second"]): row["same"] == "yes" for row in csv.DictReader(stream)}


def name_of(content: np.ndarray) -> str:
    """Return what `judged.csv` calls a content."""
    return content.tobytes().hex()[:16]


def pairs_of(features: FeatureCache, groups: list[DuplicateGroup]) -> Iterator[tuple[Pair, Pair]]:
    """Yield the contents and the paths of the first of each group and each other."""
    for group in groups:
        first, *others = group.photographs
        for other in others:
            names = [name_of(features.sha256[features.index_of(one.path)]) for one in (first, other)]
            yield (min(names), max(names)), (first.path, other.path)


def extracted(data: Path, cache: Path, name: str) -> Features:
    """Return the features of a folder by MobileNetV2."""
    options = FeatureOptions(network=Network("mobilenetv2"))
    return Features(open_features(cache, extract_features(data, cache, options).features))


def edited_copies(name: str, copies: int, folder: Path) -> list[dict[str, Any]]:
    """Return recall and precision for each edit of photographs of a set among all of it."""
    originals = common.photographs(name)
    known = judged()
    whole = extracted(originals, folder / "cache", name).cache
    chosen = np.sort(np.random.default_rng(SEED).permutation(len(whole))[:copies])
    rows = []
    for edit, (change, quality) in EDITS.items():
        place = folder / f"{name}, {edit}"
        if not place.exists():
            (place / "copies").mkdir(parents=True)
            (place / "originals").symlink_to(originals)
            for row in chosen:
                image = Image.open(originals / whole.path(int(row))).convert("RGB")
                change(image).save(place / "copies" / f"{row}.jpg", quality=quality)
        features = extracted(place, folder / "cache", name)
        shutil.copy(
            whole.folder / verdicts.NAME, features.folder
        )  # what was found of the originals themselves
        groups = duplicates(features.cache)
        at = {name_of(digest): f"originals/{whole.path(row)}" for row, digest in enumerate(whole.sha256)}
        of = {f"copies/{row}.jpg": at[name_of(whole.sha256[row])] for row in chosen.tolist()}
        found = 0
        for group in groups:
            members = {one.path for one in group.photographs}
            found += sum(of.get(path) in members for path in members)
        pairs = list(pairs_of(features.cache, groups))
        right = 0
        for _, paths in pairs:
            a, b = (of.get(path, path) for path in paths)
            ends = [name_of(whole.sha256[whole.index_of(one.removeprefix("originals/"))]) for one in (a, b)]
            right += a == b or ends[0] == ends[1] or known.get((min(ends), max(ends)), False)
        rows.append(
            {
                "set": name,
                "edit": edit,
                "recall": found / len(chosen),
                "precision": right / max(1, len(pairs)),
                "pairs": len(pairs),
            }
        )
        print(rows[-1], file=sys.stderr, flush=True)
    rows.append(
        {
            "set": name,
            "edit": "all eight",
            "recall": float(np.mean([row["recall"] for row in rows])),
            "precision": sum(row["precision"] * row["pairs"] for row in rows)
            / max(1, sum(row["pairs"] for row in rows)),
            "pairs": sum(row["pairs"] for row in rows),
        }
    )
    return rows


def as_it_is(name: str, data: Path, folder: Path, sheets: Path | None) -> dict[str, Any]:
    """Return how many pairs of a set are called the same picture, and which share of them is."""
    features, known = extracted(data, folder / "cache", name), judged()
    (features.folder / verdicts.NAME).unlink(missing_ok=True)
    started = time.process_time()
    groups = duplicates(features.cache)
    seconds = time.process_time() - started
    pairs = list(pairs_of(features.cache, groups))
    right = sum(first == second or known.get((first, second), False) for (first, second), _ in pairs)
    unjudged = [
        (contents, paths) for contents, paths in pairs if len(set(contents)) > 1 and contents not in known
    ]
    if sheets is not None and unjudged:
        write_sheet(sheets, name, data, unjudged)
    row = {
        "set": name,
        "photographs": len(features),
        "pairs": len(pairs),
        "precision": right / len(pairs) if pairs else 1.0,
        "not judged": len(unjudged),
        "processor seconds without decoding": seconds,
    }
    print(row, file=sys.stderr, flush=True)
    return row


def write_sheet(sheets: Path, name: str, data: Path, pairs: list[tuple[Pair, Pair]]) -> None:
    """Draw pairs of photographs to judge, and write the lines of `judged.csv` that say yes to all."""
    sheets.mkdir(parents=True, exist_ok=True)
    side, across = 150, 4
    for start in range(0, len(pairs), 40):
        some = pairs[start : start + 40]
        sheet = Image.new("RGB", (across * (2 * side + 10), -(-len(some) // across) * (side + 6)), "white")
        for number, (_, paths) in enumerate(some):
            for i, path in enumerate(paths):
                image = Image.open(data / path).convert("RGB")
                image.thumbnail((side, side))
                x, y = number % across * (2 * side + 10) + i * side, number // across * (side + 6)
                sheet.paste(image, (x, y))
        sheet.save(sheets / f"{name.replace(' ', '-')}-{start // 40:02d}.png")
    with (sheets / f"{name.replace(' ', '-')}.csv").open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerows((*contents, "yes", *paths) for contents, paths in pairs)


def pages(folder: Path) -> Path:
    """Return a folder of pages of text."""
    place = folder / "pages"
    if not place.exists():
        place.mkdir()
        for seed in range(PAGES):
            page(seed).save(place / f"{seed:03d}.png")
    return place


def halves_of_tiny(folder: Path) -> list[Path]:
    """Return two folders with the halves of tiny-imagenet, or none where it is not here."""
    import h5py

    source = common.SHARED / "data" / "tiny-imagenet.h5"
    if not source.exists():
        return []
    places = [folder / "tiny, first half", folder / "tiny, second half"]
    if not places[1].exists():
        with h5py.File(source) as file:
            offsets, data = file["offset"][:], file["webp"][:]
        for number in range(len(offsets) - 1):
            place = places[number >= len(offsets) // 2]
            place.mkdir(exist_ok=True)
            (place / f"{number:05d}.webp").write_bytes(data[offsets[number] : offsets[number + 1]].tobytes())
    return places


def comparing(features: FeatureCache, count: int) -> dict[str, float]:
    """Time the search for near pairs among vectors that are each the mean of two photographs."""
    X = normalised(features.X)
    generator = np.random.default_rng(SEED)
    mixed = normalised(X[generator.integers(0, len(X), count)] + X[generator.integers(0, len(X), count)])
    start = time.perf_counter()
    pairs = sum(len(i) for i, _, _ in near_pairs(mixed, NEAR))
    return {"vectors": count, "pairs": pairs, "seconds": time.perf_counter() - start}


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--copies", type=int, default=300)
    parser.add_argument("--vectors", type=int, default=50_000)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--sheets", type=Path)
    parser.add_argument("--only", nargs="*", default=["clothing", "ants_bees", "tiny", "pages", "comparing"])
    options = parser.parse_args()
    os.environ.update(common.environment())
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        edits, sets = [], []
        for name in ("clothing", "ants_bees"):
            if name in options.only:
                sets.append(as_it_is(name, common.photographs(name), folder, options.sheets))
                edits += edited_copies(name, options.copies, folder)
        if "pages" in options.only:
            sets.append(as_it_is("pages of text", pages(folder), folder, options.sheets))
        if "tiny" in options.only:
            halves = halves_of_tiny(folder)
            sets += [as_it_is(place.name, place, folder, options.sheets) for place in halves]
        results: dict[str, Any] = {"sets": sets, "edits": edits}
        if "comparing" in options.only:
            clothing = extracted(common.clothing(), folder / "cache", "clothing").cache
            results["comparing"] = comparing(clothing, options.vectors)
    common.save("duplicates", results)
    for part in (sets, edits, [results["comparing"]] if "comparing" in results else []):
        common.print_table(part)


if __name__ == "__main__":
    main()
