"""What the benchmarks share: the data, fresh processes, ratios of alternating pairs, tables."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from embed.machine import processors

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT / ".." / "shared"
RESULTS = ROOT / "benchmarks" / "results"
EMBED = (sys.executable, "-m", "embed.cli")


def photographs(name: str) -> Path:
    """Return a folder of photographs, or end the benchmark with a sentence."""
    folder = SHARED / "data" / name
    if not folder.is_dir():
        sys.exit(f"This benchmark needs the photographs in ../shared/data/{name}.")
    return folder.resolve()


def clothing() -> Path:
    """Return the folder of 3,781 photographs of clothing."""
    return photographs("clothing")


def arguments(description: str | None) -> argparse.ArgumentParser:
    """Return a parser whose help begins with the docstring of the script."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def takes_cache(parser: argparse.ArgumentParser) -> None:
    """Add the option that names features which are there already."""
    parser.add_argument(
        "--cache", type=Path, help="features of the photographs by MobileNetV2, where they are there"
    )


def cached(cache: Path | None, folder: str | Path, *names: str) -> Path:
    """Return the cache that is given, or a new one in a folder, with MobileNetV2's features of some photographs."""
    from embed.backbones import Network
    from embed.extract import FeatureOptions, extract_features

    if cache is not None:
        return cache
    for name in names:
        extract_features(
            photographs(name), Path(folder) / "cache", FeatureOptions(network=Network("mobilenetv2"))
        )
    return Path(folder) / "cache"


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a measured process: real weights, no chatter, compiled modules as once installed."""
    keras_home = SHARED / "keras_home"
    home = {"KERAS_HOME": str(keras_home.resolve())} if keras_home.is_dir() else {}
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**ours, **home, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT), **more}


def embed(*arguments: str) -> Any:
    """Run a command of embed and return the JSON document that it prints."""
    done = subprocess.run(
        [*EMBED, *arguments, "--json"], env=environment(), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def measure(script: str, *arguments: Any, **more: str) -> dict[str, Any]:
    """Run ``python script worker ARGUMENTS`` and return the JSON object that it prints last."""
    process = subprocess.run(
        [sys.executable, script, "worker", *map(str, arguments)],
        env=environment(**more),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(process.stdout.splitlines()[-1])


def whole_process(command: Sequence[str], **options: Any) -> dict[str, float]:
    """Run a command; return its wall-clock ``seconds`` and its peak resident memory, ``peak_mb``."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment(), **options)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        sys.exit(f"{' '.join(command)} ended with status {os.waitstatus_to_exitcode(status)}")
    return {"seconds": seconds, "peak_mb": usage.ru_maxrss / 1024}


def alternating(pairs: int, *runs: Callable[[], T]) -> list[list[T]]:
    """Call the runs in turn, ``pairs`` times, and return the values of each: drift of the machine hits all alike."""
    values: list[list[T]] = [[] for _ in runs]
    for _ in range(pairs):
        for run, into in zip(runs, values, strict=True):
            into.append(run())
    return values


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """Return the median and the range of the ratios of pairs."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    return {"median": statistics.median(ratios), "low": min(ratios), "high": max(ratios)}


def print_table(rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows under the names of their columns, aligned; a ratio with its lowest and highest pair."""
    rows = list(rows)
    names = list(dict.fromkeys(name for row in rows for name in row))
    lines = [names, *([_cell(row.get(name, "")) for name in names] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    if isinstance(value, dict) and "median" in value:
        return f"{value['median']:.2f} ({value['low']:.2f} to {value['high']:.2f})"
    if isinstance(value, (tuple, list)):
        return " ".join(map(_cell, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def machine() -> dict[str, Any]:
    """Describe the machine that the figures were taken on."""
    model = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return {"processor": model, "cores": processors(), "python": platform.python_version()}


def save(name: str, results: dict[str, Any]) -> None:
    """Keep the figures of a run beside the scripts, for the figures in the documents."""
    RESULTS.mkdir(exist_ok=True)
    document = {"machine": machine(), "date": time.strftime("%Y-%m-%d"), **results}
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n")
