"""Read pieces of a file that lie close together at once."""

from collections.abc import Iterator, Sequence

from embed.errors import ImageError
from embed.sources.blob import Blob, State
from embed.sources.member import Member

GAP = 256 << 10  # bytes between two pieces that are read along with them
MOST = 32 << 20  # bytes read at once, unless one piece is longer


def read_spans(blob: Blob, state: State, members: Sequence[Member]) -> Iterator[bytes | str]:
    """Yield the bytes of each member as they lie in the file, or the reason why they cannot be had."""
    found: dict[int, bytes | str] = {}
    for together in _together(sorted(members, key=lambda member: member.start)):
        start = together[0].start
        end = max(member.start + member.span for member in together)
        try:
            data = memoryview(blob.read(start, end - start, state))
        except ImageError as error:
            found |= {member.start: str(error) for member in together}
            continue
        for member in together:
            found[member.start] = bytes(data[member.start - start : member.start - start + member.span])
    for member in members:
        yield found[member.start]


def _together(members: Sequence[Member]) -> Iterator[list[Member]]:
    """Yield the members, in their order, that one read gives."""
    group: list[Member] = []
    for member in members:
        end = group[-1].start + group[-1].span if group else 0
        if group and (member.start > end + GAP or member.start + member.span - group[0].start > MOST):
            yield group
            group = []
        group.append(member)
    if group:
        yield group
