"""What it costs to extract from a tar archive in object storage, beside a folder of this machine: processor seconds of whole processes.

    python benchmarks/sources.py [--pairs 3] [--data clothing]

The same photographs as a folder, as a tar archive beside it, and as that archive and single objects on a real S3 server (SeaweedFS)
on this machine, whose own processor time is not counted. MobileNetV2, float32; the systems take turns.
"""

import os
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import common

sys.path.insert(0, str(common.ROOT / "tests" / "support"))


def extract(place: str, folder: Path, **environment: str) -> dict[str, float]:
    """Run ``embed extract`` as a process of its own, into a new cache, without any listing from before."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        command = [*common.EMBED, "extract", place, "--cache", f"{name}/cache", "-q"]
        listings = Path(os.environ.get("EMBED_HOME") or Path.home() / ".cache" / "embed") / "listings"
        for file in listings.glob("*.json"):
            file.unlink()
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=common.environment(**environment))
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"{' '.join(command)} ended with status {os.waitstatus_to_exitcode(status)}")
        return {"cpu": usage.ru_utime + usage.ru_stime, "seconds": time.perf_counter() - start}


def main() -> None:
    import obstore
    from s3_server import BUCKET, client, environment, s3_server

    parser = common.arguments(__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--data", default="clothing")
    options = parser.parse_args()
    photographs = common.photographs(options.data)
    files = sorted(photographs.rglob("*.jpg"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shard = folder / "photos.tar"
        with tarfile.open(shard, "w") as archive:
            for file in files:
                archive.add(file, file.relative_to(photographs).as_posix())
        (folder / "server").mkdir()
        with s3_server(folder / "server") as endpoint:
            store = client(endpoint)
            obstore.put(store, "photos.tar", shard.read_bytes())
            for file in files:
                obstore.put(store, f"photos/{file.relative_to(photographs).as_posix()}", file.read_bytes())
            known = environment(endpoint)
            runs = {
                "folder": lambda: extract(str(photographs), folder),
                "tar": lambda: extract(str(shard), folder),
                "tar on S3": lambda: extract(f"s3://{BUCKET}/photos.tar", folder, **known),
                "objects on S3": lambda: extract(f"s3://{BUCKET}/photos", folder, **known),
            }
            runs["folder"]()  # so that the backbone is exported and the disk is warm
            values = dict(zip(runs, common.alternating(options.pairs, *runs.values()), strict=True))
    rows = [
        {
            "from": kind,
            "cpu seconds": statistics.median(one["cpu"] for one in found),
            "times the folder": common.ratio(
                [one["cpu"] for one in found], [one["cpu"] for one in values["folder"]]
            ),
            "seconds": statistics.median(one["seconds"] for one in found),
        }
        for kind, found in values.items()
    ]
    common.save("sources", {"photographs": len(files), "pairs": options.pairs, "rows": rows})
    common.print_table(rows)


if __name__ == "__main__":
    main()
