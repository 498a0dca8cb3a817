"""The application that every command registers itself on."""

import typer

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
