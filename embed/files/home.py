"""The user's cache folder, for what can be computed again: exported backbones and the hashes of weights files."""

import os
import stat
from pathlib import Path

from embed.files.trust import Boundary


def home() -> Path:
    """Return ``EMBED_HOME``, or the cache folder that the operating system gives to programs; it need not exist yet."""
    override = os.environ.get("EMBED_HOME")
    if override:
        return Path(override).expanduser().absolute()
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("embed"))


def boundary() -> Boundary:
    """Return the boundary within which what lies in the folder is believed."""
    return Boundary(home(), home())


def kept(kind: str, name: str = "") -> Path:
    """Return where this user keeps something: in the common folder, or in one of its own where somebody else has that.

    So a folder may be shared: what its owner or root wrote is used by all, and nobody has to believe anybody else.
    """
    common = home() / kind
    if not (_ours(common) and _ours(common / name)):
        common = home() / f"{kind}-{os.geteuid()}"
    return common / name


def _ours(path: Path) -> bool:
    """Return whether this user may use a path, or make it usable by closing it to others."""
    try:
        status = path.lstat()
    except OSError:
        return True
    mine = status.st_uid == os.geteuid() and not stat.S_ISLNK(status.st_mode)
    return mine or boundary().believes(path)
