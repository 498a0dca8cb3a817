"""The user's cache folder, for what can be computed again: exported backbones and the hashes of weights files."""

import os
from pathlib import Path


def home() -> Path:
    """Return ``EMBED_HOME``, or the cache folder that the operating system gives to programs; it need not exist yet."""
    override = os.environ.get("EMBED_HOME")
    if override:
        return Path(override).expanduser().absolute()
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("embed"))
