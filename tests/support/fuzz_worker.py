"""The inside of the fuzzer: a process that judges one example after the other, and may die of one. See fuzz.py."""

import contextlib
import importlib
import json
import logging
import os
import resource
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

# Name → module and class, imported when the first example comes along.
TARGETS = {
    "parts": ("fuzz_cache", "Parts"),
    "manifest": ("fuzz_cache", "Manifest"),
    "meta": ("fuzz_cache", "Meta"),
    "small": ("fuzz_cache", "SmallFiles"),
    "models": ("fuzz_derived", "Models"),
    "index": ("fuzz_derived", "IndexFiles"),
    "groups": ("fuzz_derived", "GroupsFile"),
    "tables": ("fuzz_given", "Tables"),
    "lists": ("fuzz_given", "Lists"),
    "networks": ("fuzz_given", "Networks"),
    "home": ("fuzz_given", "Home"),
    **{
        name: ("fuzz_given", f"Images.{name}")
        for name in ("jpeg", "png", "gif", "webp", "tiff", "bmp", "ppm", "jp2", "avif", "heif", "raw")
    },
}
BROKEN = {"broken": ("fuzz_broken", "Broken")}  # what the fuzzer itself is tested with
MOST_MEMORY = 1 << 30  # bytes that one example may take
ROOM = 4 << 30  # bytes of address space that it gets


def open_target(name, folder):
    """Return a target, with its files made in a folder."""
    module, one = (TARGETS | BROKEN)[name]
    kind, _, argument = one.partition(".")
    place = folder / name
    place.mkdir()
    made = getattr(importlib.import_module(module), kind)
    return made(place, argument) if argument else made(place)


def peak():
    """Return the bytes of memory that this process took at the most since `reset_peak`."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM"))


def reset_peak():
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as refs:
        refs.write("5")


def judge(target, name, content):
    """Return what came of an example: {"outcome": ...}, or {"finding": ..., "where": ...}."""
    import embed
    from embed.errors import EmbedError

    reset_peak()
    before = peak()
    with open("/proc/self/statm") as statm:
        size = int(statm.read().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + ROOM, hard))
    try:
        reply = {"outcome": target.judge(name, content)}
    except EmbedError as error:
        sentence = str(error)
        reply = {"outcome": sentence}
        if not sentence or "\n" in sentence.strip() or "Traceback" in sentence:
            reply = {"finding": f"no sentence: {sentence!r}", "where": "no sentence"}
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        package = f"{Path(embed.__file__).parent}{os.sep}"
        frames = [
            one for one in traceback.extract_tb(error.__traceback__) if one.filename.startswith(package)
        ]
        place = f"{Path(frames[-1].filename).name}:{frames[-1].name}" if frames else "the test"
        reply = {"finding": traceback.format_exc()[-3000:], "where": f"{type(error).__name__} in {place}"}
        del error
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    if peak() - before > MOST_MEMORY:
        reply = {"finding": f"{(peak() - before) >> 20} MiB were taken", "where": "memory"}
    return reply


def main():
    warnings.simplefilter("ignore")
    logging.disable()
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries print where they like
    targets = {}
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        prefix="fuzz-", dir=memory if os.access(memory, os.W_OK) else None
    ) as scratch:
        os.environ["EMBED_HOME"] = os.path.join(scratch, "embed-home")
        while line := requests.readline():
            request = json.loads(line)
            name = request["target"]
            if name not in targets:
                targets[name] = open_target(name, Path(scratch))
            if "file" in request:
                reply = judge(targets[name], request["file"], requests.read(request["bytes"]))
            else:
                files = targets[name].files.items()
                reply = {"files": {one: [shape, data.hex()] for one, (shape, data) in files}}
            replies.write(json.dumps(reply).encode() + b"\n")
            replies.flush()


if __name__ == "__main__":
    main()
