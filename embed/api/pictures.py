"""Small pictures of photographs, made once and kept on disk within a bound."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from embed import files, images
from embed.errors import EmbedError
from embed.files.home import kept
from embed.sources import Address, read

KIND = "thumbnails"  # folder among what can be made again
MOST_BYTES = 1 << 30  # on disk: some 100,000 of 240 pixels
LEFT = 0.8  # of that, after the oldest were deleted
FRESH_S = 24 * 3600.0  # within which one that is used again counts as new


class Thumbnails:
    """JPEGs of photographs, by their content; any thread may ask.

    They lie in the user's cache folder. Where nothing can be kept there, each is made whenever it is asked for.

    Parameters
    ----------
    folder : Path, optional
    most_bytes : int
        Of all that are kept; those that were not used for longest are deleted beyond it.
    """

    def __init__(self, folder: Path | None = None, most_bytes: int = MOST_BYTES) -> None:
        self.folder = folder or kept(KIND)
        self.most_bytes = most_bytes
        self._bytes: int | None = None  # not counted yet
        self._lock = threading.Lock()
        self._decoders: dict[int, images.Decoder] = {}

    def get(self, file: Address, sha256: bytes, size: int) -> tuple[bytes, bool]:
        """Return a photograph as a JPEG no wider and no higher than `size` pixels, and whether it still has that content.

        Raises
        ------
        ImageError
            It cannot be read or decoded; the message is the reason.
        """
        name = f"{sha256.hex()}-{size}-{images.DECODER_VERSION}.jpg"
        place = self.folder / name[:2]
        with suppress(OSError):
            data = (place / name).read_bytes()
            if data:
                self._touch(place / name)
                return data, True
        content = read(file)
        data = self._decoder(size).thumbnail(content.data)
        same = content.sha256 == sha256
        if same:
            self._keep(place, name, data)
        return data, same

    def close(self) -> None:
        """End what makes them."""
        with self._lock:
            decoders, self._decoders = list(self._decoders.values()), {}
        for decoder in decoders:
            decoder.close()

    def _decoder(self, size: int) -> images.Decoder:
        with self._lock:
            if size not in self._decoders:
                self._decoders[size] = images.Decoder(images.Resize(size, images.INSIDE))
            return self._decoders[size]

    def _touch(self, file: Path) -> None:
        if time.time() - file.stat().st_mtime > FRESH_S:
            os.utime(file)

    def _keep(self, place: Path, name: str, data: bytes) -> None:
        try:
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
            with files.Draft(place, durable=False, closed=True) as draft:
                draft.write(data)
                draft.replace(name)
        except (OSError, EmbedError):
            return  # a full disk, a folder that nobody may write to: it is shown all the same
        with self._lock:
            if self._bytes is None:
                self._bytes = sum(size for _, size, _ in self._files())
            else:
                self._bytes += len(data)
            if self._bytes > self.most_bytes:
                self._bytes = self._shrink()

    def _shrink(self) -> int:
        """Delete those that were not used for longest, and return the bytes of the others."""
        found = sorted(self._files())
        left = sum(size for _, size, _ in found)
        for _, size, file in found:
            if left <= self.most_bytes * LEFT:
                break
            with suppress(OSError):
                file.unlink()
            left -= size
        return left

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        with suppress(OSError):
            for place in os.scandir(self.folder):
                with suppress(OSError):
                    for file in os.scandir(place):
                        with suppress(OSError):
                            status = file.stat()
                            yield status.st_mtime, status.st_size, Path(file.path)
