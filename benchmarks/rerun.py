"""What it costs to run again, and how memory grows: whole processes.

    python benchmarks/rerun.py [--known 100000] [--memory 3000 60000]

Times a second ``embed extract`` over 3,781 photographs and over many known files (hard links to the same photographs),
and takes the peak memory of a first extraction of few and of many files.
"""

import os
import statistics
import sys
import tempfile
from pathlib import Path

import common


def links(folder: Path, count: int, originals: list[Path]) -> Path:
    """Fill a folder with hard links (copies across file systems) to photographs, 1,000 to a folder; return it."""
    import shutil

    copies = folder / "originals"
    copies.mkdir(parents=True)
    local = [Path(shutil.copy(path, copies / f"{i}.jpg")) for i, path in enumerate(originals)]
    data = folder / f"files-{count}"
    for i in range(count):
        place = data / f"{i // 1000:04}"
        if i % 1000 == 0:
            place.mkdir(parents=True)
        os.link(local[i % len(local)], place / f"{i:07}.jpg")
    return data


def extract(data: Path, cache: Path, backbone: str) -> dict[str, float]:
    """Run ``embed extract`` as a process of its own."""
    command = [
        sys.executable,
        "-m",
        "embed.cli",
        "extract",
        str(data),
        "--cache",
        str(cache),
        "--backbone",
        backbone,
        "-q",
    ]
    return common.whole_process(command)


def main() -> None:
    parser = common.arguments(__doc__)
    parser.add_argument("--known", type=int, default=100_000)
    parser.add_argument("--memory", type=int, nargs=2, default=(3_000, 60_000))
    parser.add_argument("--backbone", default="tiny", help="of the many files; the 3,781 use mobilenetv2")
    options = parser.parse_args()
    photographs = common.clothing()
    results: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        extract(photographs, folder / "cache", "mobilenetv2")
        again = [extract(photographs, folder / "cache", "mobilenetv2")["seconds"] for _ in range(5)]
        results["again_3781_seconds"] = statistics.median(again)
        originals = sorted(photographs.rglob("*.jpg"))[:500]
        for count in options.memory:
            data = links(folder / str(count), count, originals)
            results[f"peak_mb_{count}"] = extract(data, folder / f"cache-{count}", options.backbone)[
                "peak_mb"
            ]
        data = links(folder / "known", options.known, originals[:50])
        extract(data, folder / "cache-known", options.backbone)
        known = [extract(data, folder / "cache-known", options.backbone)["seconds"] for _ in range(3)]
        results[f"again_{options.known}_seconds"] = statistics.median(known)
        results["peak_mb_mobilenetv2_3781"] = extract(photographs, folder / "fresh", "mobilenetv2")["peak_mb"]
    common.save("rerun", results)
    for key, value in results.items():
        print(f"{key:32} {value:10.2f}")


if __name__ == "__main__":
    main()
