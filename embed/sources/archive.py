"""An archive of photographs: a tar, a zip, or a table that holds them."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from embed.errors import ImageError, InputError
from embed.sources.blob import CHANGED, Blob
from embed.sources.left_out import Filters, unless_drawn
from embed.sources.listed import Listing, clean, listed
from embed.sources.member import Format, Member
from embed.sources.shots import TAKEN_AS_PICTURE, pictures_of
from embed.sources.source import Address, Content, Described, Failed, Item, LeftOut, Listed, Read, Told


class Archive:
    """The photographs in one archive. They are named by their paths in it, and nothing of it is unpacked to a disk.

    Parameters
    ----------
    blob : Blob
    format : Format
    filters : Filters, optional
    """

    def __init__(self, blob: Blob, format: Format, filters: Filters | None = None) -> None:
        self._blob, self._format = blob, format
        self._filters = filters or Filters()
        place = blob.address
        self.root: Path | str = place if isinstance(place, str) else Path(os.path.normpath(place.absolute()))
        file = place.rpartition("/")[2] if isinstance(place, str) else place.name
        self.name = file.rpartition(".")[0] or file
        self._stamp: int | None = None  # of what was found
        self.again = ""
        self.places: tuple[str, ...] = ()

    def find(self) -> Iterator[Told]:
        """Yield every photograph, in the order of the bytes of the names, as a folder with the same files in it would.

        Raises
        ------
        InputError
            There is no such archive, it cannot be read, or is none.
        """
        found = listed(self._blob, self._format)
        self._stamp = found.state.stamp
        left: Counter[tuple[str, str]] = Counter()
        for name in sorted(found.members, key=os.fsencode):
            member = found.members[name]
            out = self._left_out(name, found)
            if out is not None:
                left[out] += 1
            elif member.problem:
                yield Failed(name, member.problem, gone=True)
            else:
                yield Item(name, member.size, found.state.stamp)
        yield from (
            Failed(name, "has a name that leads out of the archive", gone=True) for name in found.refused
        )
        yield from (LeftOut(place, reason, count) for (place, reason), count in left.items())
        yield Failed("", found.problem) if found.problem else Listed("")

    def read(self, group: Sequence[Item]) -> Iterator[Read]:
        """Yield each photograph with its content, or the reason why that cannot be had just now."""
        try:
            found = listed(self._blob, self._format, group[0].stamp)
        except InputError as error:
            yield from ((item, f"cannot be read: {error}".rstrip(".")) for item in group)
            return
        wanted = [_wanted(found, item) for item in group]
        members = [one for one in wanted if isinstance(one, Member)]
        try:
            contents = iter(list(self._format.contents(self._blob, found.state, members)))
        except ImageError as error:
            yield from (
                (item, one if isinstance(one, str) else str(error))
                for item, one in zip(group, wanted, strict=True)
            )
            return
        for item, one in zip(group, wanted, strict=True):
            data = one if isinstance(one, str) else next(contents)
            if isinstance(data, bytes):
                yield item, unless_drawn(Content(data, hashlib.sha256(data).digest()))
            else:
                yield item, data

    def described(self) -> Iterator[Described]:
        """Yield what lies beside the photographs and says something of them."""
        yield from listed(self._blob, self._format, self._stamp).columns.items()

    def address(self, name: str) -> Address:
        """Return what leads to a photograph."""
        return f"{self.root}/{name}" if isinstance(self.root, str) else self.root / name

    def _left_out(self, name: str, found: Listing) -> tuple[str, str] | None:
        """Return the place that is left out, and why, where a member is."""
        if (out := self._filters.left_out(name)) is not None or self._filters.takes_in(os.fsencode(name)):
            return out
        if any(picture in found.members for picture in pictures_of(name)):
            return name.rpartition("/")[0], TAKEN_AS_PICTURE
        return None


def _wanted(found: Listing, item: Item) -> Member | str:
    """Return the member that an item is, or why there is none."""
    member = found.members.get(clean(item.name))
    if item.stamp is not None and (
        item.stamp != found.state.stamp or member is None or member.size != item.size
    ):
        return CHANGED
    if member is None:
        return "is not in the archive"
    return member.problem or member
