"""The command line: parse, make one library call, print."""

import os
import sys
from importlib import import_module

import typer

from embed.cli import common
from embed.cli.app import app
from embed.errors import EmbedError, UsageError

# Each module registers its commands when it is imported.
MODULES = {
    "analyse": ("duplicates", "outliers", "mislabelled", "matrix", "map"),
    "backbones": ("backbones",),
    "compare": ("compare",),
    "demo": ("demo",),
    "export": ("export",),
    "extract": ("extract",),
    "fit": ("fit",),
    "info": ("info",),
    "predict": ("predict",),
    "report": ("report", "explain"),
    "search": ("similar", "index"),
    "verify": ("verify",),
}

# Typer may carry a click of its own or use the public one; an exported subclass leads to whichever it is.
ClickException: type[Exception] = typer.BadParameter.__mro__[2]


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
    given = sys.argv[1:] if arguments is None else arguments
    register(given[0] if given else None)
    try:
        code = app(args=arguments, prog_name="embed", standalone_mode=False)
        sys.stdout.flush()
    except EmbedError as error:
        common.say(f"embed: {error}")
        return common.EXIT_USAGE if isinstance(error, UsageError) else common.EXIT_ERROR
    except ClickException as error:
        error.show()  # type: ignore[attr-defined]
        return common.EXIT_USAGE
    except (KeyboardInterrupt, typer.Abort):
        common.say("embed: interrupted")
        return common.EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code if isinstance(code, int) else 0
