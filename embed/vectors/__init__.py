"""Features that another program computed: read in blocks, matched with the photographs, checked, put into a feature set."""

from embed.vectors.bring import Imported, import_features

__all__ = ["Imported", "import_features"]
