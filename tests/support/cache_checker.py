"""The one checker of the invariants of the cache; every fault is judged by it."""

import contextlib
import hashlib
import os

import h5py

from embed.errors import EmbedError, NoFeaturesError

COLUMNS = ("path", "sha256", "size", "mtime_ns", "features")


def check(store, world, acknowledged, generation, *, swept=False, running=False):
    """Return the violations found in a store after a fault, each with the number of its invariant.

    Parameters
    ----------
    store : object with ``folder`` and ``read()``
    world : object with ``versions(generation)``, ``failures(generation)`` and ``row(path, version)``
    acknowledged : list of dict
        What the commits returned from, in order: the version of each path, 0 for removed; ``{"": generation}`` marks
        the end of a run.
    generation : int
        The one that was being written.
    swept : bool
        Whether a writer was opened since, which has to remove temporary files.
    running : bool
        Whether a writer is at work meanwhile, so that only what a reader sees can be judged.
    """
    last, ended = {}, []
    for commit in acknowledged:
        last.update(commit)
        if "" in commit:
            ended.append(last.pop(""))
            # Whoever came to the end of a run has seen every file, also those whose commit a kill cut short.
            last = dict.fromkeys(last, 0) | world.versions(ended[-1])
    try:
        rows, failures, complete = store.read()
    except NoFeaturesError as error:
        return [f"1: the set is gone: {error}"] if last else []
    except (EmbedError, OSError, LookupError, ValueError, RuntimeError) as error:
        found = [f"1: the set cannot be read: {error!r}"]
        with contextlib.suppress(OSError, LookupError, RuntimeError):
            found += check_files(store.folder / "cache", swept)
        return found
    versions = world.versions(generation)
    found = [] if running else check_files(store.folder / "cache", swept)
    for path, version in last.items():
        # What was on its way when the fault struck may be there as well.
        allowed = {version, versions.get(path, 0)}
        if rows.get(path) not in [world.row(path, version) if version else None for version in allowed]:
            found.append(f"1: version {version} of {path!r} was committed and is lost")
    former = [world.versions(earlier) for earlier in range(generation + 1)]
    for path, row in rows.items():
        if row not in [world.row(path, version[path]) for version in former if path in version]:
            found.append(f"2: the row of {path!r} is not what recomputing it gives")
    if running:
        return found
    if complete:
        current = [g for g in {generation, *ended[-1:]} if failures == set(world.failures(g))]
        if not current:
            found.append(f"7: {len(rows)} rows and {len(failures)} failures do not make up the files")
        elif not any(
            rows == {path: world.row(path, version) for path, version in world.versions(g).items()}
            for g in current
        ):
            found.append("4: the set is not that of an uninterrupted run")
    elif acknowledged and acknowledged[-1].get("") == generation:
        found.append("4: a run came to its end and the set does not say so")
    return found


def check_files(cache, swept=False):
    """Return the violations that the files of a cache show by themselves."""
    found = []
    for path in sorted(cache.glob("**/*.h5")):
        if path.parent.name == "damaged":
            continue
        is_part = path.name.startswith("part-")
        if is_part and hashlib.sha256(path.read_bytes()).hexdigest()[:16] != path.name[-19:-3]:
            found.append(f"3: {path.name} does not match its hash")
            continue
        with h5py.File(path, "r") as file:
            if len({len(file[column]) for column in COLUMNS}) > 1:
                found.append(f"2: the columns of {path.name} differ in length")
            if is_part and not path.parent.name.endswith(file.attrs["recipe_hash"][:8]):
                found.append(f"8: {path.name} is of another recipe than {path.parent.name}")
    if swept and any(name.startswith(".tmp") for _, _, names in os.walk(cache) for name in names):
        found.append("3: a temporary file was not swept")
    return found
