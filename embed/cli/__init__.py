"""The command line: parse, make one library call, print."""

import errno
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from embed import NOT_ON_WINDOWS, WINDOWS
from embed.cli import exits, streams

if TYPE_CHECKING:
    from embed.errors import EmbedError

# What a write says that names no file, as those to stdout do.
OUTPUT_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def register(command: str | None = None) -> None:
    """Import the module of a command, so that it does not wait for the others; or all, where there is none of that name."""
    from embed.cli.app import COMMANDS

    for module in [COMMANDS[command]] if command in COMMANDS else dict.fromkeys(COMMANDS.values()):
        import_module(f"embed.cli.{module}")


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code.

    0: done; 1: an error, told in one sentence; 2: wrong usage; 3: done, but ``--strict`` was given and some files
    failed; 130: interrupted.
    """
    streams.prepare()
    if WINDOWS:
        print(f"embed: {NOT_ON_WINDOWS}", file=sys.stderr)
        return exits.ERROR
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
    from embed.errors import MISSING, EmbedError, UsageError

    # Typer may carry a click of its own or use the public one; an exported subclass leads to whichever it is.
    click_exception: type[Exception] = typer.BadParameter.__mro__[2]
    register(arguments[0] if arguments else None)
    commands: Any = typer.main.get_command(app)
    try:
        code = commands.main(args=arguments, prog_name="embed", standalone_mode=False)
        sys.stdout.flush()
    except UsageError as error:
        common.say(f"embed: {_told(error, commands.commands.get(arguments[0]))}")
        return exits.USAGE
    except EmbedError as error:
        common.say(f"embed: {_told(error, commands.commands.get(arguments[0]))}")
        return exits.ERROR
    except click_exception as error:
        error.show()  # type: ignore[attr-defined]
        return exits.USAGE
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "embed":
            raise
        common.say(f"embed: {MISSING.format(library=error.name.partition('.')[0])}")
        return exits.ERROR
    except MemoryError:
        common.say("embed: this machine has not enough memory for what was asked; ask for less at a time")
        return exits.ERROR
    except typer.Abort:
        raise KeyboardInterrupt from None
    except BrokenPipeError:
        streams.drop_output()
        return 0
    except SystemExit as end:
        # The reader of our output went away (`| head`): nobody is left to tell. Typer ends on it by itself.
        if isinstance(end.__context__, BrokenPipeError):
            return 0
        raise
    except OSError as error:
        if error.filename is not None:  # a disk that fails where nobody has a better sentence
            common.say(f"embed: {common.printable(os.fsdecode(error.filename))}: {error.strerror}")
            return exits.ERROR
        if error.errno not in OUTPUT_ERRORS:
            raise
        streams.drop_output()
        common.say(f"embed: cannot write the output: {error.strerror}")
        return exits.ERROR
    if code == exits.INTERRUPTED:  # Typer makes this of Ctrl-C, too
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def _told(error: "EmbedError", command: Any) -> str:
    """Return an error with the flag of the command that sets the parameter."""
    for parameter in command.params if command is not None else ():
        if parameter.name == error.parameter:
            return f"{parameter.opts[0]} {error.message}"
    return str(error)
