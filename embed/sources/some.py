"""Some of the photographs of a source."""

from collections.abc import Iterator, Sequence

from embed.sources.source import Address, Described, Item, Read, Source, Told


class Some:
    """Some of the photographs of a source, found already.

    It says of no place that it was listed: rows of the others stay.

    Parameters
    ----------
    source : Source
    items : sequence of Item
    """

    def __init__(self, source: Source, items: Sequence[Item]) -> None:
        self._source = source
        self.items = items
        self.name, self.root, self.again, self.places = source.name, source.root, source.again, source.places

    def find(self) -> Iterator[Told]:
        """Yield each of them."""
        yield from self.items

    def read(self, group: Sequence[Item]) -> Iterator[Read]:
        """Yield each with its content, or the reason why that cannot be had just now."""
        return self._source.read(group)

    def described(self) -> Iterator[Described]:
        """Yield what the source says of its photographs."""
        return self._source.described()

    def address(self, name: str) -> Address:
        """Return what leads to a photograph."""
        return self._source.address(name)
