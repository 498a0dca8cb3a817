"""Read one photograph by its address."""

import os

from embed.errors import ImageError
from embed.sources import file
from embed.sources.address import WEB, scheme
from embed.sources.formats import suffix_of
from embed.sources.source import Address, Content


def read(place: Address) -> Content:
    """Return the bytes of one photograph and their sha256.

    Raises
    ------
    ImageError
        The message is the reason.
    """
    if isinstance(place, str):
        if scheme(place) in WEB:
            raise ImageError("is a URL, and nothing is downloaded here: save it as a file first")
    elif os.path.lexists(place) or not any(suffix_of(above.name) for above in place.parents):
        return file.read(place)
    from embed.sources.within import (
        read_within,  # archives and what lies elsewhere: most questions are about files
    )

    return read_within(place)
