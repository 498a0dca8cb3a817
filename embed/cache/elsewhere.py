"""Parts that other processes write, and that the writer who holds the lock adopts."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from embed import files
from embed.cache.batch import part_name, write
from embed.cache.checked import CheckedFile
from embed.cache.manifest import NAME
from embed.cache.meta import Meta
from embed.cache.parts import Part
from embed.cache.pending import Pending, Row
from embed.errors import CacheDamagedError, CacheError

TEMPORARY = re.compile(re.escape(files.TEMPORARY_PREFIX) + r"[^/\0]{1,200}")


@dataclass(frozen=True)
class Receipt:
    """What a process hands over that has written a part.

    Parameters
    ----------
    file : str
        Temporary name in the folder of the set.
    digests : str
        Of its index and of its bytes, as the name of a part has them.

    Raises
    ------
    CacheError
        It names no such file.
    """

    file: str
    digests: str

    def __post_init__(self) -> None:
        # Whatever is published or removed has this name.
        if not TEMPORARY.fullmatch(self.file) or not NAME.fullmatch(part_name(0, self.digests)):
            raise CacheError(f"{self.file!r:.200} is no part that was written elsewhere")


class PartWriter:
    """Writes a part into the folder of a feature set, without its lock; it counts once `FeatureWriter.adopt` took it.

    Parameters
    ----------
    folder : Path
        Of the feature set.
    meta : Meta
        Of the feature set: its recipe and its dimension.
    """

    def __init__(self, folder: Path, meta: Meta) -> None:
        self._folder, self._recipe = folder, meta.recipe
        self._pending = Pending(meta.recipe, meta.dimension)

    def __len__(self) -> int:
        return len(self._pending.rows)

    def put(self, row: Row) -> None:
        """Add a row; rows gather in memory.

        Raises
        ------
        FeatureError
            A value is not finite, or does not fit the type that is stored; nothing was added.
        """
        self._pending.put(row)

    def hand_over(self) -> Receipt:
        """Write the rows, durably.

        Raises
        ------
        CacheWriteError
            The disk refused.
        """
        with files.Draft(self._folder) as draft:
            digests = write(draft, self._pending.batch(), self._recipe)
            return Receipt(draft.hand_over(), digests)


def write_part(folder: Path, meta: Meta, rows: Iterable[Row]) -> Receipt:
    """Write rows as a part, as `PartWriter` does.

    Raises
    ------
    CacheWriteError
        The disk refused.
    FeatureError
        Features of a row are not finite.
    """
    part = PartWriter(folder, meta)
    for row in rows:
        part.put(row)
    return part.hand_over()


def check_part(folder: Path, meta: Meta, receipt: Receipt) -> Part:
    """Return the part that a receipt speaks of once every byte of it was checked; it has no sequence number yet.

    Raises
    ------
    CacheDamagedError
        It is not there, or not what was written.
    CacheFormatError
        It is of another recipe.
    """
    path = folder / receipt.file
    index_digest, _, file_digest = receipt.digests.partition("-")
    try:
        file = CheckedFile(path, index_digest, file_digest)
    except FileNotFoundError:
        raise CacheDamagedError(
            f"{path} is gone before its rows were committed; compute them again"
        ) from None
    part = Part(folder / part_name(0, receipt.digests), meta, file=file)
    file.check_sha256()
    _ = part.columns, part.entry
    return part
