"""Object storage through obstore: S3 and what speaks like it, Google Cloud Storage, Azure."""

import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from embed.errors import InputError
from embed.sources.address import scheme
from embed.sources.blob import CHANGED, State
from embed.sources.credentials import check_credentials, is_plain, settings
from embed.sources.remote import VANISHED, Entry, RemoteError, stamp

CHUNK = 1000  # objects that are listed at once
RETRY = {"max_retries": 10}  # of a request that the server was too busy for
CLIENT = {"timeout": "5m", "connect_timeout": "10s", "read_timeout": "60s"}
REMEMBERED = 4096  # tags of files that are read in pieces


class ObjectStore:
    """The objects below a prefix.

    Parameters
    ----------
    url : str

    Raises
    ------
    InputError
        obstore is not installed, nobody may be asked in whose name, or the URL is none.
    """

    def __init__(self, url: str) -> None:
        try:
            from obstore.exceptions import BaseError
            from obstore.store import from_url
        except ImportError as error:
            raise InputError(
                f"{url} is object storage, which needs obstore: pip install 'embed-images[remote]'"
            ) from error
        check_credentials(scheme(url), url)
        start, _, rest = url.partition("://")
        place, slash, path = rest.partition("/")
        config = settings(scheme(url))
        try:
            self._store = from_url(
                f"{start}://{place}{slash}{quote(path)}",
                config=config,
                client_options={**CLIENT, "allow_http": is_plain(config)},
                retry_config=RETRY,
            )
        except (BaseError, ValueError) as error:
            raise InputError(f"{url} cannot be opened: {_line(error)}.") from error
        self._lock = threading.Lock()
        self._tags: dict[tuple[str, State], str] = {}

    def entries(self) -> Iterator[Entry]:
        """Yield every object. Raises RemoteError."""
        import obstore

        stream = obstore.list(self._store, chunk_size=CHUNK)
        while True:
            try:
                chunk = next(stream, None)
            except Exception as error:
                raise _reason(error) from error
            if chunk is None:
                return
            for meta in chunk:
                yield Entry(meta["path"], _state(meta))

    def state(self, name: str) -> State:
        """Return the state of an object. Raises RemoteError."""
        import obstore

        try:
            meta = obstore.head(self._store, name)
        except Exception as error:
            raise _reason(error) from error
        return self._remember(name, meta)

    def read(
        self, name: str, state: State | None = None, start: int = 0, size: int | None = None
    ) -> tuple[bytes, State]:
        """Return some bytes of an object, or all, and its state. Raises RemoteError."""
        import obstore

        options: dict[str, Any] = {}
        if size is not None:
            if not size:
                return b"", state or self.state(name)
            options["range"] = (start, start + size)
        with self._lock:
            tag = self._tags.get((name, state)) if state is not None else None
        if tag is not None:
            options["if_match"] = tag
        try:
            result = obstore.get(self._store, name, options=options or None)
            meta = result.meta
            # What is another one is not fetched.
            found = _state(meta) if size is None else self._remember(name, meta)
            if state is not None and found != state:
                return b"", found
            return bytes(result.bytes()), found
        except Exception as error:
            raise _reason(error) from error

    def _remember(self, name: str, meta: Any) -> State:
        """Return the state of an object that is read in pieces, and keep its tag: the next pieces are to be of that."""
        state = _state(meta)
        if meta.get("e_tag"):
            with self._lock:
                while len(self._tags) >= REMEMBERED:
                    del self._tags[next(iter(self._tags))]
                self._tags[name, state] = meta["e_tag"]
        return state


def _state(meta: Any) -> State:
    return State(
        int(meta["size"]), stamp(meta["last_modified"], str(meta.get("e_tag") or meta.get("version") or ""))
    )


def _reason(error: Exception) -> RemoteError:
    """Return why a request failed, in a few words. Raises what is no answer of a server."""
    from obstore import exceptions

    # Names, durations and pages of servers stand in the message too: what it says is told by whole lines alone.
    lines = {line.strip() for line in str(error).partition(DETAILS)[2].splitlines()}
    bucketless = any(line.startswith('"') and sign in line for line in lines for sign in NO_BUCKET)
    if bucketless or isinstance(error, FileNotFoundError):
        return RemoteError("has no such bucket" if bucketless else VANISHED, gone=not bucketless)
    if isinstance(error, exceptions.PreconditionError):
        return RemoteError(CHANGED)
    if isinstance(error, (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError)):
        return RemoteError(f"cannot be read: {DENIED}")
    if not isinstance(error, (exceptions.BaseError, OSError)):
        raise error
    for sign, words in SIGNS.items():
        if sign in lines:
            return RemoteError(f"cannot be read: {words}")
    return RemoteError(f"cannot be read: {_line(error)}")


DETAILS = "Debug source:"  # of obstore; below it each detail has a line
NO_BUCKET = ("<Code>NoSuchBucket</Code>", "<Code>ContainerNotFound</Code>")
DENIED = "access is denied to these credentials"
SIGNS = {
    "status: 401,": DENIED,
    "status: 403,": DENIED,
    "status: 429,": "the server was too busy (429), after several tries",
    "status: 503,": "the server was too busy (503), after several tries",
    "kind: Timeout,": "the server did not answer in time",
    "kind: TimedOut,": "the server did not answer in time",
    "kind: ConnectionRefused,": "no server answers there",
    '"dns error",': "the name of the server is not known",
}


def _line(error: Exception) -> str:
    """Return the first line of what a library says, without a full stop."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200].rstrip(".")
