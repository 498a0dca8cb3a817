"""The command line: parse, make one library call, print."""

import errno
import os
import sys
from importlib import import_module

from embed.cli import exits

# Each module registers its commands when it is imported; `embed --help` lists them in this order.
MODULES = {
    "extract": ("extract",),
    "fit": ("fit",),
    "predict": ("predict",),
    "compare": ("compare",),
    "report": ("report", "explain"),
    "search": ("similar", "index"),
    "analyse": ("duplicates", "outliers", "mislabelled", "matrix", "map"),
    "info": ("info",),
    "verify": ("verify",),
    "export": ("export",),
    "backbones": ("backbones",),
    "demo": ("demo",),
}

# What a write says that names no file, as those to stdout do.
OUTPUT_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def register(command: str | None = None) -> None:
    """Import the module of a command, so that it does not wait for the others; or all, where there is none of that name."""
    homes = [module for module, commands in MODULES.items() if command in commands]
    for module in homes or MODULES:
        import_module(f"embed.cli.{module}")


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code.

    0: done; 1: an error, told in one sentence; 2: wrong usage; 3: done, but ``--strict`` was given and some files
    failed; 130: interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        # File names are bytes; whatever they hold is written out as it came.
        stream.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
    try:
        return run(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        print("embed: interrupted", file=sys.stderr)
        return exits.INTERRUPTED


def run(arguments: list[str]) -> int:
    """Run one command, as `main` does, but raise KeyboardInterrupt where it was interrupted."""
    # Imported here, where Ctrl-C is awaited: the first time on a machine this takes seconds.
    import typer

    from embed.cli import common
    from embed.cli.app import app
    from embed.errors import EmbedError, UsageError

    # Typer may carry a click of its own or use the public one; an exported subclass leads to whichever it is.
    click_exception: type[Exception] = typer.BadParameter.__mro__[2]
    register(arguments[0] if arguments else None)
    try:
        code = app(args=arguments, prog_name="embed", standalone_mode=False)
        sys.stdout.flush()
    except UsageError as error:
        flag = "--" + error.parameter.replace("_", "-")
        common.say(f"embed: {f'{flag} {error.message}' if error.parameter else error}")
        return exits.USAGE
    except EmbedError as error:
        common.say(f"embed: {error}")
        return exits.ERROR
    except click_exception as error:
        error.show()  # type: ignore[attr-defined]
        return exits.USAGE
    except typer.Abort:
        raise KeyboardInterrupt from None
    except BrokenPipeError:
        _drop_output()
        return 0
    except SystemExit as end:
        # The reader of our output went away (`| head`): nobody is left to tell. Typer ends on it by itself.
        if isinstance(end.__context__, BrokenPipeError):
            return 0
        raise
    except OSError as error:
        if error.filename is not None or error.errno not in OUTPUT_ERRORS:
            raise
        _drop_output()
        common.say(f"embed: cannot write the output: {error.strerror}")
        return exits.ERROR
    if code == exits.INTERRUPTED:  # Typer makes this of Ctrl-C, too
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def _drop_output() -> None:
    """Send what is still to be written nowhere: it would be tried, and fail, once more at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
