"""The command line: parse, make one library call, print."""

import os
import sys

import typer

from embed.cli import backbones as backbones
from embed.cli import common
from embed.cli.app import app
from embed.errors import EmbedError, UsageError

EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it

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
        return EXIT_USAGE if isinstance(error, UsageError) else EXIT_ERROR
    except ClickException as error:
        error.show()  # type: ignore[attr-defined]
        return EXIT_USAGE
    except (KeyboardInterrupt, typer.Abort):
        common.say("embed: interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nobody is left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code if isinstance(code, int) else 0
