"""Which library reaches a place elsewhere; and a file there, read piece by piece."""

from functools import lru_cache

from embed.errors import ImageError, InputError
from embed.sources.address import scheme
from embed.sources.blob import CHANGED, State
from embed.sources.remote import Remote, RemoteError
from embed.sources.source import Address

OBJECT_STORES = frozenset(("s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss"))
AHEAD = 8 << 20  # bytes that one request brings, while a list of members is walked


@lru_cache(maxsize=256)
def remote(url: str) -> Remote:
    """Return a place elsewhere.

    Raises
    ------
    InputError
        The library for it is missing, or it cannot be opened.
    """
    if scheme(url) in OBJECT_STORES:
        from embed.sources.remote_objects import ObjectStore

        return ObjectStore(url)
    from embed.sources.remote_files import FileSystem

    return FileSystem(url)


class RemoteFile:
    """A file elsewhere, as a blob.

    Parameters
    ----------
    url : str
    """

    ahead = AHEAD

    def __init__(self, url: str) -> None:
        self.address: Address = url
        self._url = url
        self._folder, _, self._name = url.rpartition("/")

    def state(self) -> State:
        """Return its state. Raises InputError."""
        try:
            return remote(self._folder).state(self._name)
        except RemoteError as error:
            raise InputError(f"{self._url} {error}.") from error

    def read(self, start: int, size: int, state: State) -> bytes:
        """Return some bytes of that state. Raises ImageError."""
        try:
            data, found = remote(self._folder).read(self._name, state, start, size)
        except (RemoteError, InputError) as error:
            raise ImageError(str(error)) from error
        if found != state or len(data) != size:
            raise ImageError(CHANGED)
        return data
