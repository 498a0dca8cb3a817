"""What a cluster costs: processor seconds of `embed extract --cluster local` and of the same command without it, in pairs.

    python benchmarks/cluster.py [--pairs 3] [--data clothing] [--backbone mobilenetv2]
    python benchmarks/cluster.py --table

The processor time is that of all processes of a command, those of Ray among them, as a control group of Linux counts it (needs
root); the wall-clock seconds are those of the command. The features are compared bit for bit. `--table` measures nothing: it works
out from the last runs of `sources.py` and `driver.py` what millions of photographs take.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common

MILLIONS = 1, 10, 100
NODES, NODE_PROCESSORS = 20, 8  # of the cluster in the table
FEATURE_BYTES = 1280 * 4  # of a row of MobileNetV2
ROW_BYTES = 130  # of path, content, size, time and decoder, and of checksums
PART_BYTES = 128 << 20
KNOWN = "10000000"  # rows of the set that the memory of a known one was measured on
SHARD = 1000  # photographs
# Dollars: of a processor for an hour on a spot instance, of a GB on a shared file system for a month, of a million reads.
PROCESSOR_HOUR, GB_MONTH, MILLION_READS = 0.015, 0.30, 0.40

ACCOUNTS = Path("/sys/fs/cgroup/cpuacct"), Path("/sys/fs/cgroup")  # of versions 1 and 2


class Account:
    """The processor time of a command and of all that it starts."""

    def __init__(self) -> None:
        parent = next((place for place in ACCOUNTS if (place / "cgroup.procs").exists()), None)
        if parent is None or os.geteuid() != 0:
            sys.exit("This benchmark needs control groups, and root.")
        self._group = parent / f"embed-benchmark-{os.getpid()}"
        self._group.mkdir()

    def enter(self) -> None:
        """Put this process in; called in a child."""
        (self._group / "cgroup.procs").write_text(str(os.getpid()))

    def seconds(self) -> float:
        """Return what was used."""
        if (self._group / "cpuacct.usage").exists():
            return int((self._group / "cpuacct.usage").read_text()) / 1e9
        first = (self._group / "cpu.stat").read_text().splitlines()[0]
        return int(first.split()[1]) / 1e6

    def close(self) -> None:
        """Wait until the last process has ended."""
        deadline = time.monotonic() + 60
        while (self._group / "cgroup.procs").read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        self._group.rmdir()


def extract(data: Path, cache: Path, backbone: str, *options: str) -> dict[str, float]:
    """Run ``embed extract`` as a process of its own, into a new cache."""
    account = Account()
    command = [
        *common.EMBED,
        "extract",
        str(data),
        "--cache",
        str(cache),
        "--backbone",
        backbone,
        "-q",
        *options,
    ]
    start = time.perf_counter()
    subprocess.run(
        command,
        check=True,
        env=common.environment(),
        stdout=subprocess.DEVNULL,
        preexec_fn=account.enter,
    )
    found = {"cpu": account.seconds(), "seconds": time.perf_counter() - start}
    account.close()
    return found


def table() -> str:
    """Return what millions of photographs take, as a table for the documentation."""
    sources = json.loads((common.RESULTS / "sources.json").read_text())
    held = json.loads((common.RESULTS / "driver.json").read_text())[KNOWN]["bytes held for a known row"]
    on_s3 = next(row for row in sources["rows"] if row["from"] == "tar on S3")
    seconds = on_s3["cpu seconds"] / sources["photographs"]
    columns = []
    for millions in MILLIONS:
        count = millions * 1_000_000
        hours = count * seconds / 3600
        gigabytes = count * (FEATURE_BYTES + ROW_BYTES) / 1e9
        columns.append(
            [
                f"{millions} million",
                f"{hours:,.0f}",
                f"{hours * 60 / NODES / NODE_PROCESSORS:,.0f} min",
                f"{gigabytes:,.0f} GB",
                f"{-(-count * FEATURE_BYTES // PART_BYTES):,}",
                f"{held * count / 1e9:,.1f} GB",
                f"${hours * PROCESSOR_HOUR:,.2f}",
                f"${gigabytes * GB_MONTH:,.2f}",
                f"${millions * MILLION_READS:,.2f}; ${count / SHARD * 16 / 1e6 * MILLION_READS:,.2f}",
            ]
        )
    names = [
        "photographs",
        "processor hours",
        f"{NODES} nodes of {NODE_PROCESSORS} processors",
        "features on disk",
        "parts",
        "memory of the driver for them",
        "processors",
        "disk, a month",
        "reads of single objects; of shards",
    ]
    lines = [" | ".join([name, *cells]) for name, *cells in zip(names, *columns, strict=True)]
    lines.insert(1, " | ".join(["---"] * (1 + len(columns))))
    return "\n".join(f"| {line} |" for line in lines)


def main() -> None:
    """Measure, print a table, and keep the numbers."""
    sys.path.insert(0, str(common.ROOT / "tests" / "support"))
    from same_sets import assert_same

    parser = common.arguments(__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--data", default="clothing")
    parser.add_argument("--backbone", default="mobilenetv2")
    parser.add_argument("--table", action="store_true", help="measure nothing; print what millions take")
    options = parser.parse_args()
    if options.table:
        print(table())
        return
    data = common.photographs(options.data)
    with tempfile.TemporaryDirectory() as name:
        numbers = iter(range(1000))

        def run(*how: str) -> dict[str, float]:
            return extract(data, Path(name) / str(next(numbers)), options.backbone, *how)

        run()  # so that the backbone is exported and the disk is warm
        alone, together = common.alternating(options.pairs, run, lambda: run("--cluster", "local"))
        assert_same(Path(name) / "2", Path(name) / "1")
    rows = [
        {
            "extract": what,
            "cpu seconds": statistics.median(one["cpu"] for one in found),
            "times one process": common.ratio([one["cpu"] for one in found], [one["cpu"] for one in alone]),
            "seconds": statistics.median(one["seconds"] for one in found),
        }
        for what, found in (("in one process", alone), ("--cluster local", together))
    ]
    count = len(list(data.rglob("*.jpg")))
    about = {"data": options.data, "photographs": count, "backbone": options.backbone, "pairs": options.pairs}
    common.save("cluster", {**about, "rows": rows})
    common.print_table(rows)


if __name__ == "__main__":
    main()
