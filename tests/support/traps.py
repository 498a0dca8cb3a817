"""A folder with a file for every module that a program could import from there by mistake."""

import sys
from importlib.metadata import packages_distributions
from pathlib import Path


def make_traps(parent: Path) -> Path:
    """Make the folder, with a file for every module of the standard library and of the installed packages.

    A file that is imported or run writes its name into the log.
    """
    folder = parent / "traps"
    folder.mkdir()
    names = {*sys.stdlib_module_names, *packages_distributions(), "embed", "sitecustomize", "usercustomize"}
    for name in names - {"__main__"}:
        if name.isidentifier():
            (folder / f"{name}.py").write_text(
                f"open({str(parent / 'log')!r}, 'a').write('{name} ')\nraise SystemExit('foreign code')\n"
            )
    return folder


def ran(folder: Path) -> str:
    """Return the names of the files that were run."""
    log = folder.parent / "log"
    return log.read_text() if log.exists() else ""
