"""Where photographs come from: find them without reading them, then read each of them once."""

from embed.sources.folder import Failed, Found, Listed, find, look, named
from embed.sources.read import Content, read

__all__ = ["Content", "Failed", "Found", "Listed", "find", "look", "named", "read"]
