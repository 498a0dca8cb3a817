"""Photographs elsewhere, each an object or a file of its own."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

from embed.errors import ImageError, InputError
from embed.sources import file
from embed.sources.blob import CHANGED, State
from embed.sources.folder import named_as_image
from embed.sources.left_out import Filters, unless_drawn
from embed.sources.remote import RemoteError
from embed.sources.remotes import remote
from embed.sources.source import Content, Described, Failed, Item, LeftOut, Listed, Read, Told

AT_ONCE = 16  # requests: most of the time of each is waiting


class Objects:
    """The photographs below a prefix of an object store, or in a folder of another file system elsewhere.

    Parameters
    ----------
    url : str
    filters : Filters, optional
    """

    def __init__(self, url: str, filters: Filters | None = None) -> None:
        self.root: Path | str = url.rstrip("/")
        self._url = str(self.root)
        self._filters = filters or Filters()
        self.name = self._url.rpartition("/")[2]
        self.again = ""
        self.places: tuple[str, ...] = ()

    def __reduce__(self) -> tuple[type["Objects"], tuple[str, Filters]]:
        """Return what another process finds the objects by: one with requests of its own."""
        return Objects, (self._url, self._filters)

    def find(self) -> Iterator[Told]:
        """Yield every object with the name of an image; where the listing breaks off, what was not told of is unknown.

        Raises
        ------
        InputError
            The place cannot be listed at all.
        """
        left: Counter[tuple[str, str]] = Counter()
        met = 0
        try:
            for entry in remote(self._url).entries():
                met += 1
                if not named_as_image(os.fsencode(entry.name)):
                    continue
                out = self._filters.left_out(entry.name)
                if out is not None:
                    left[out] += 1
                elif entry.state.size > file.MAX_BYTES:
                    yield Failed(entry.name, file.too_large(entry.state.size), gone=True)
                else:
                    yield Item(entry.name, entry.state.size, entry.state.stamp)
        except RemoteError as error:
            if not met:
                raise InputError(f"{self._url} {error}.") from error
            yield Failed("", f"the listing broke off: {error}")
            return
        yield from (LeftOut(place, reason, count) for (place, reason), count in left.items())
        yield Listed("")

    def read(self, group: Sequence[Item]) -> Iterator[Read]:
        """Yield each photograph with its content, or the reason why that cannot be had just now."""
        yield from zip(group, self._pool.map(self._read, group), strict=True)

    def described(self) -> Iterator[Described]:
        """Yield nothing: objects say it by their names."""
        return iter(())

    def address(self, name: str) -> str:
        """Return the URL of a photograph."""
        return f"{self._url}/{name}"

    def _read(self, item: Item) -> Content | str:
        state = None if item.stamp is None else State(item.size, item.stamp)
        try:
            return unless_drawn(read_object(self._url, item.name, state))
        except ImageError as error:
            return str(error)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(AT_ONCE, "get")


def read_object(folder: str, name: str, state: State | None = None) -> Content:
    """Return the bytes of one file elsewhere and their sha256. Raises ImageError."""
    try:
        data, found = remote(folder).read(name, state)
    except RemoteError as error:
        raise ImageError("there is no such object" if error.gone and state is None else str(error)) from error
    except InputError as error:
        raise ImageError(f"cannot be read: {error}".rstrip(".")) from error
    if (state is not None and found != state) or len(data) != found.size:
        raise ImageError(CHANGED)
    return Content(data, hashlib.sha256(data).digest())
