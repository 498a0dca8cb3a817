"""What the driver of a cluster holds in memory for photographs that it knows: whole processes over synthetic sets.

    python benchmarks/driver.py [--millions 1 3 10] [--folder FOLDER]

The set has rows of one value each, in parts of a million that lie side by side, as a cluster writes them. The process opens it, goes
through a source with the same photographs and a new one, and makes what goes to the workers; what it holds then, and at its
peak, is compared with a process that does the same for a set of one part of a thousand rows. What is made is kept in FOLDER.
"""

import gc
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import common
import numpy as np

from embed import files
from embed.cache import FeatureWriter, Receipt, Recipe
from embed.cache.batch import Batch, write
from embed.sources import Described, Item, Listed, Read

PART_ROWS = 1_000_000
FOLDER_FILES = 1000
FEW = 1000  # rows of the process that is compared with
STAMP = 1_700_000_000_000_000_000


def recipe() -> Recipe:
    """Return a recipe of nothing."""
    return Recipe(backbone="none", weights="none", weights_sha256="0" * 64, layer="top", size=32, decoder=1)


def names(start: int, stop: int) -> list[bytes]:
    """Return the paths of some photographs: 31 bytes each."""
    return [b"products/%06d/%011d.jpg" % (number // FOLDER_FILES, number) for number in range(start, stop)]


class Products:
    """So many photographs that are known, and one that is not.

    Parameters
    ----------
    root : Path
    count : int
    """

    def __init__(self, root: Path, count: int) -> None:
        self.root: Path | str = root
        self._count = count
        self.name, self.again, self.places = root.name, "", ()

    def find(self) -> Iterator[Any]:
        """Yield each of them."""
        for start in range(0, self._count, FOLDER_FILES):
            for name in names(start, min(start + FOLDER_FILES, self._count)):
                yield Item(name.decode(), 1, STAMP)
        yield Item("products/new.jpg", 1, STAMP)
        yield Listed("")

    def read(self, group: Any) -> Iterator[Read]:
        """Yield nothing: it is not asked."""
        return iter(())

    def described(self) -> Iterator[Described]:
        """Yield nothing."""
        return iter(())

    def address(self, name: str) -> Path:
        """Return what leads nowhere."""
        return Path(self.root) / name


def make(folder: Path, count: int) -> Path:
    """Write a set of so many rows, where it is not there yet, and return its cache."""
    cache, root = folder / f"cache-{count}", folder / "products"
    root.mkdir(parents=True, exist_ok=True)
    if (cache / "done").exists():
        return cache
    with FeatureWriter.open(cache, "products", root, recipe(), 1) as writer:
        for start in range(0, count, PART_ROWS):
            rows = min(PART_ROWS, count - start)
            digests = b"".join(
                hashlib.sha256(b"%d" % number).digest() for number in range(start, start + rows)
            )
            batch = Batch(
                paths=np.array(names(start, start + rows), "S"),
                sha256=np.frombuffer(digests, np.uint8).reshape(-1, 32),
                sizes=np.ones(rows, np.int64),
                mtimes_ns=np.full(rows, STAMP),
                decoders=np.full(rows, b"JPEG 1"),
                features=np.zeros((rows, 1), np.float32),
            )
            with files.Draft(writer.folder, durable=False) as draft:
                written = write(draft, batch, recipe())
                writer.adopt(Receipt(draft.hand_over(), written))
        writer.write_failures([])
    (cache / "done").touch()
    return cache


def held() -> int:
    """Return the bytes of memory that this process has now."""
    text = Path("/proc/self/status").read_text()
    return int(text.split("VmRSS:")[1].split()[0]) << 10


def open_as_driver(cache: str, count: str) -> dict[str, int]:
    """Do what a driver does until it hands out the first block, and return what it holds."""
    from embed.extract import Plan, RunOptions
    from embed.extract.scan import Scan
    from embed.extract.summary import Outcome

    source = Products(Path(cache).parent / "products", int(count))
    with (
        Scan(source) as scan,
        FeatureWriter.open(Path(cache), "products", Path(source.root), recipe(), 1) as writer,
    ):
        plan = Plan(scan, writer.known, [], RunOptions(), Outcome(lambda _: None))
        (group,) = plan.groups()
        contents = plan.contents()
        assert [item.name for item in group] == ["products/new.jpg"] and len(contents) == int(count)
        gc.collect()
        now = held()
        writer.write_failures([])
    return {"held": now, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10}


def main() -> None:
    """Measure, print a table, and keep the numbers."""
    parser = common.arguments(__doc__)
    parser.add_argument("--millions", type=int, nargs="+", default=[1, 3, 10])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--inside", nargs=2, help=common.argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(open_as_driver(*options.inside)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        measured = {}
        for count in [FEW, *(millions * 1_000_000 for millions in options.millions)]:
            cache = make(folder, count)
            command = [sys.executable, __file__, "--inside", str(cache), str(count)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            measured[count] = json.loads(done.stdout)
    few = measured.pop(FEW)
    results = {}
    for count, found in measured.items():
        results[f"{count}"] = {
            "bytes held for a known row": round((found["held"] - few["held"]) / count, 1),
            "bytes at the peak": round((found["peak"] - few["peak"]) / count, 1),
            "MB of the process": round(found["held"] / 1e6, 1),
        }
        print(f"{count:>10,} rows: {results[f'{count}']}")
    common.save("driver", results)


if __name__ == "__main__":
    main()
