"""The formats in which photographs lie together in one file, by the end of its name; each is imported when it is needed."""

from functools import cache
from importlib import import_module

from embed.sources.member import Format

FORMATS = {".tar": "tar.Tar", ".zip": "zip.Zip", ".parquet": "pictures_table.PicturesTable"}


def suffix_of(name: str) -> str | None:
    """Return the end of the name of an archive, or of a table that may be one; None of any other name."""
    return next((suffix for suffix in FORMATS if name.lower().endswith(suffix)), None)


def format_of(name: str) -> Format | None:
    """Return the format that the name of a file says, or None."""
    suffix = suffix_of(name)
    return None if suffix is None else _format(suffix)


@cache
def _format(suffix: str) -> Format:
    module, _, kind = FORMATS[suffix].partition(".")
    made: Format = getattr(import_module(f"embed.sources.{module}"), kind)()
    return made
