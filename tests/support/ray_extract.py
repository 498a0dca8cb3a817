"""An extraction on a Ray cluster whose photographs can be held back, or kill whoever reads them.

python -P ray_extract.py DATA CACHE ADDRESS PHOTOGRAPHS_IN_A_BLOCK FOLDER

In FOLDER, `reads` tells who has read what (node, pid, photograph); a photograph in `held` waits until `open` is there, one in
`deadly` kills its reader.
"""

import json
import os
import signal
import sys
from pathlib import Path

from waiting import BUSY_S, until

from embed.backbones import Network
from embed.cli import exits
from embed.distributed import cluster
from embed.extract import FeatureOptions, RunOptions, extract_features
from embed.sources import Folder


class Watched(Folder):
    """A folder whose photographs are read under supervision, everywhere but in the driver."""

    def __init__(self, folder, control):
        super().__init__(folder)
        self.control, self.driver = control, os.getpid()

    def read(self, group):
        for item in group:
            if os.getpid() != self.driver:
                self._watch(item)
            yield from super().read([item])

    def _watch(self, item):
        # One write for each line: several processes append.
        line = f"{os.environ.get('EMBED_NODE', 'here')} {os.getpid()} {item.name}\n".encode()
        descriptor = os.open(self.control / "reads", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        os.write(descriptor, line)
        os.close(descriptor)
        if item.name in names(self.control / "deadly"):
            os.kill(os.getpid(), signal.SIGKILL)
        if item.name in names(self.control / "held"):
            until((self.control / "open").exists, f"{item.name} to be let go", BUSY_S)


def names(file):
    return file.read_text().split() if file.exists() else []


def reads(control):
    """Return what was read: node, pid, photograph."""
    file = control / "reads"
    return [tuple(line.split()) for line in file.read_text().splitlines()] if file.exists() else []


def main(data, cache, address, block, control):
    run = RunOptions(workers=1)
    with exits.interruptible(), cluster(address, run, photographs_in_block=int(block)) as executor:
        summary = extract_features(
            Watched(Path(data), Path(control)),
            Path(cache),
            FeatureOptions(network=Network("tiny")),
            run,
            executor=executor,
        )
    print(json.dumps(summary.to_json()), flush=True)


if __name__ == "__main__":
    # Workers look for the class of the source by the name of its module.
    from ray_extract import main as run_it

    try:
        run_it(*sys.argv[1:])
    except Exception as error:  # noqa: BLE001 - the test reads why
        print(f"{type(error).__name__}: {error}", flush=True)
        sys.exit(1)
