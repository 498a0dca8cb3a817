"""The formats in which photographs lie together in one file, and what the name of such a file looks like."""

from embed.sources.member import Format
from embed.sources.pictures_table import PicturesTable
from embed.sources.tar import Tar
from embed.sources.zip import Zip

FORMATS: tuple[Format, ...] = (Tar(), Zip(), PicturesTable())


def format_of(name: str) -> Format | None:
    """Return the format that the name of a file says, or None."""
    lower = name.lower()
    return next((one for one in FORMATS if lower.endswith(one.suffixes)), None)
