"""The command line: parse, make one library call, print."""

import os
import sys

import typer

from embed.cli import common
from embed.errors import EmbedError, UsageError

EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells report it

# Typer may carry a click of its own or use the public one; an exported subclass leads to whichever it is.
ClickException: type[Exception] = typer.BadParameter.__mro__[2]

app = typer.Typer(
    name="embed",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from embed import __version__

        typer.echo(f"embed {__version__}")
        raise typer.Exit


@app.callback()
def embed(
    version: bool = typer.Option(
        False, "--version", help="Print the version and exit.", callback=_version, is_eager=True
    ),
) -> None:
    """Compute the features of every photograph once; classify, search and analyse them in seconds.

    \b
    embed extract data/          features of every photograph, into ./cache
    embed fit --clf dense        a classifier on the cached features
    embed similar photo.jpg      the photographs that look like this one
    """


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
