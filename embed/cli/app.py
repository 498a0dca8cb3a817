"""The application that every command registers itself on."""

from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

# Group → its commands in the order of use, each with the module that registers it when it is imported.
GROUPS = {
    "Start": {
        "extract": "extract",
        "import": "imports",
        "cluster": "cluster",
        "label": "cluster",
        "serve": "serve",
        "info": "info",
        "backbones": "backbones",
        "demo": "demo",
    },
    "Judge": {"fit": "fit", "tune": "tune", "compare": "compare", "report": "report", "explain": "report"},
    "Tidy": {
        "duplicates": "duplicates",
        "outliers": "analyse",
        "mislabelled": "analyse",
        "verify": "verify",
    },
    "Use": {
        "predict": "predict",
        "similar": "search",
        "index": "search",
        "map": "analyse",
        "matrix": "analyse",
        "export": "export",
        "export model": "deploy",
    },
}
COMMANDS = {name: module for group in GROUPS.values() for name, module in group.items()}


def begun(arguments: Sequence[str]) -> str | None:
    """Return the command that arguments begin with; its name may have two words."""
    names = (" ".join(arguments[:words]) for words in (2, 1))
    return next((name for name in names if name in COMMANDS), None)


class Grouped(TyperGroup):
    """Lists its commands under the names of their groups. Typer's own panels need rich, which takes longer to import."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the name of a command, the command and its arguments."""
        name = begun(args)
        if name is not None and name in self.commands:
            return name, self.commands[name], args[len(name.split()) :]
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the groups into the help."""
        width = max(map(len, COMMANDS))
        for group, names in GROUPS.items():
            with formatter.section(group):
                formatter.write_dl(
                    [
                        (
                            name.ljust(width),
                            self.commands[name].get_short_help_str(formatter.width - 6 - width),
                        )
                        for name in names
                    ]
                )


app = typer.Typer(
    name="embed",
    cls=Grouped,
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
