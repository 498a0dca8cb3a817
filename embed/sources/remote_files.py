"""Whatever else fsspec knows by a URL: SFTP, HDFS, the Hugging Face hub, ..."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from embed.errors import InputError
from embed.sources.address import scheme
from embed.sources.blob import State
from embed.sources.remote import VANISHED, Entry, RemoteError, stamp

TIMES = ("mtime", "LastModified", "last_modified", "modified", "updated", "created")
TAGS = ("ETag", "etag", "e_tag", "sha", "checksum", "md5", "blob_id", "ino")


class FileSystem:
    """A folder of a file system that fsspec knows.

    Parameters
    ----------
    url : str

    Raises
    ------
    InputError
        fsspec, or what it needs for this, is not installed; or the URL is none.
    """

    def __init__(self, url: str) -> None:
        try:
            from fsspec.core import url_to_fs
        except ImportError as error:
            raise InputError(
                f"{url} is reached through fsspec: pip install 'embed-images[fsspec]', and what fsspec needs for {scheme(url)}"
            ) from error
        try:
            self._system, self._top = url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
        except Exception as error:
            raise InputError(f"{url} cannot be opened: {_line(error)}.") from error

    def entries(self) -> Iterator[Entry]:
        """Yield every file. Raises RemoteError."""
        try:
            if not self._system.exists(self._top):
                raise FileNotFoundError
            found = self._system.find(self._top, detail=True)
        except Exception as error:
            raise _reason(error) from error
        for path, info in sorted(found.items()):
            yield Entry(path[len(self._top.rstrip("/")) :].strip("/"), _state(info))

    def state(self, name: str) -> State:
        """Return the state of a file. Raises RemoteError."""
        try:
            return _state(self._system.info(self._path(name)))
        except Exception as error:
            raise _reason(error) from error

    def read(
        self, name: str, state: State | None = None, start: int = 0, size: int | None = None
    ) -> tuple[bytes, State]:
        """Return some bytes of a file, or all, and its state after that. Raises RemoteError."""
        end = None if size is None else start + size
        try:
            data = self._system.cat_file(self._path(name), start=start, end=end)
            return bytes(data), _state(self._system.info(self._path(name)))
        except Exception as error:
            raise _reason(error) from error

    def _path(self, name: str) -> str:
        return f"{self._top.rstrip('/')}/{name}"


def _state(info: Mapping[str, Any]) -> State:
    moment = next((info[name] for name in TIMES if info.get(name)), None)
    if isinstance(moment, (int, float)):
        moment = datetime.fromtimestamp(moment, UTC)
    tags = [str(info[name]) for name in TAGS if info.get(name)]
    return State(
        int(info.get("size") or 0),
        stamp(moment if isinstance(moment, datetime) else None, f"{moment} {tags}"),
    )


def _reason(error: Exception) -> RemoteError:
    if isinstance(error, FileNotFoundError):
        return RemoteError(VANISHED, gone=True)
    if isinstance(error, PermissionError):
        return RemoteError("cannot be read: access is denied")
    return RemoteError(f"cannot be read: {_line(error)}")


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200].rstrip(".")
