"""Note what photographs say about themselves: when, where and with what they were taken."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from embed.cache import FeatureCache, exif
from embed.errors import CacheDamagedError, ImageError
from embed.extract.options import RunOptions
from embed.images import Decoder, Resize
from embed.sources import Item, Source

AT_ONCE = 256  # photographs between two reports


def note(features: FeatureCache, source: Source, run: RunOptions, tell: Callable[[int, int], None]) -> None:
    """Read the EXIF of every photograph of a feature set of which it is not known yet, and keep it by content.

    What photographs say that are not in the set any more is forgotten. One that cannot be read now is tried the next time.

    Parameters
    ----------
    features : FeatureCache
    source : Source
        Where its photographs are.
    run : RunOptions
    tell : callable
        Is told how many of how many are read.

    Raises
    ------
    CacheWriteError
        The disk refused.
    """
    try:
        before = exif.read(features.folder) or {}
    except CacheDamagedError:
        before = {}
    rows = {digest.tobytes(): row for row, digest in reversed(list(enumerate(features.sha256)))}
    known = {digest: told for digest, told in before.items() if digest in rows}
    missing = ((row, digest) for digest, row in rows.items() if digest not in known)
    count = len(rows) - len(known)
    if not count and len(known) == len(before) and exif.read(features.folder) is not None:
        return
    done = 0
    try:
        with (
            Decoder(Resize(1), workers=1, max_pixels=run.max_pixels) as decoder,
            ThreadPoolExecutor(run.decoding_threads, "exif") as threads,
        ):
            for some in _portions(missing):
                work = [(decoder, source, features.path(row), digest) for row, digest in some]
                for (_, digest), told in zip(some, threads.map(_told, *zip(*work, strict=True)), strict=True):
                    if told is not None:
                        known[digest] = told
                done += len(some)
                tell(done, count)
    finally:  # also where it is interrupted
        exif.write(features.folder, known)


def _portions(missing: Iterator[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    while some := list(islice(missing, AT_ONCE)):
        yield sorted(some)


def _told(decoder: Decoder, source: Source, path: str, digest: bytes) -> exif.Told | None:
    """Return what a photograph says; None where it cannot be read, or is another one now."""
    ((_, content),) = source.read([Item(path)])
    if isinstance(content, str) or content.sha256 != digest:
        return None
    try:
        about = decoder.about(content.data)
    except ImageError:
        return None
    told = (about.taken, about.latitude, about.longitude, about.camera, about.width, about.height)
    return exif.Told._make("" if value is None else str(value) for value in told)
