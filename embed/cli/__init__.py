"""The command line: parse, make one library call, print."""

import os
import sys

import typer

from embed.cli import (  # each module registers its commands
    analyse,
    backbones,
    common,
    compare,
    demo,
    export,
    extract,
    fit,
    info,
    predict,
    report,
    search,
    verify,
)
from embed.cli.app import app
from embed.errors import EmbedError, UsageError

# Typer may carry a click of its own or use the public one; an exported subclass leads to whichever it is.
ClickException: type[Exception] = typer.BadParameter.__mro__[2]


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code.

    0: done; 1: an error, told in one sentence; 2: wrong usage; 3: done, but ``--strict`` was given and some files
    failed; 130: interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        # File names are bytes; whatever they hold is written out as it came.
        stream.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]
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
