"""Pages that are made when the site is built: the command reference from the parser, and files of the repository."""

import re
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
COPIED = {
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
    "cache-format.md": "cache/README.md",
}  # page → file of the repository


def commands() -> dict[str, Any]:
    """Return every command of the parser by its name."""
    import typer

    from embed.cli import register
    from embed.cli.app import app

    register()
    return dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def command_reference() -> str:
    """Return the page of all commands, in the groups of the help."""
    from embed.cli.app import GROUPS

    intro = """# Commands

Results go to stdout, everything else to stderr. Every table is aligned in a terminal and tab-separated in a pipe; `--csv`
and `--json` choose other forms. Exit codes: 0 done; 1 an error, told in one sentence; 2 wrong usage; 3 done, but `--strict`
was given and some files failed; 130 interrupted.
"""
    known = commands()
    parts = [intro]
    for group, names in GROUPS.items():
        parts += [f"## {group}\n", *(_section(name, known[name]) for name in names)]
    return "\n".join(parts)


def _section(name: str, command: Any) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and "--help" not in p.opts]
    usage = " ".join(["embed", name, "[OPTIONS]", *(_placeholder(argument) for argument in arguments)])
    parts = [f"### embed {name}", "", _help(command.help or ""), "", f"```text\n{usage}\n```", ""]
    if arguments:
        parts += ["| argument | |", "| --- | --- |", *map(_argument_row, arguments), ""]
    if options:
        parts += ["| option | | default |", "| --- | --- | --- |", *map(_option_row, options), ""]
    return "\n".join(parts)


def _placeholder(argument: Any) -> str:
    name = (argument.metavar or argument.name).upper().strip("[].")
    name += "..." if argument.nargs == -1 else ""
    return name if argument.required else f"[{name}]"


def _help(text: str) -> str:
    """Return a docstring as Markdown: paragraphs after ``\\b`` are examples."""
    paragraphs = re.sub(r"[ ]*\n[ ]*", "\n", text.strip()).split("\n\n")
    return "\n\n".join(
        "```console\n" + paragraph.lstrip("\b\n") + "\n```" if paragraph.startswith("\b") else paragraph
        for paragraph in paragraphs
    )


def _argument_row(argument: Any) -> str:
    return f"| `{_placeholder(argument).strip('[]')}` | {_cell(getattr(argument, 'help', '') or '')} |"


def _option_row(option: Any) -> str:
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    text = getattr(option, "help", "") or ""
    if option.envvar:
        text += f" (environment: `{option.envvar}`)"
    default = "" if option.default in (None, False, (), []) or option.is_flag else f"`{option.default}`"
    return f"| {names} | {_cell(text)} | {default} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are no files in docs/."""
    from mkdocs.structure.files import File

    pages = {"commands.md": command_reference()}
    pages |= {page: _copied(REPOSITORY / source) for page, source in COPIED.items()}
    for page, text in pages.items():
        files.append(File.generated(config, page, content=text))
    return files


def _copied(source: Path) -> str:
    """Return a file of the repository; its links to other such files become plain text or lead to their pages."""
    page_of = {source: page for page, source in COPIED.items()}

    def link(match: re.Match[str]) -> str:
        words, target = match.groups()
        if "://" in target or target.startswith("#"):
            return match.group()
        inside = (source.parent / target.partition("#")[0]).resolve().relative_to(REPOSITORY).as_posix()
        if inside in page_of:
            return f"[{words}]({page_of[inside]})"
        if inside.startswith("docs/") and inside.endswith(".md"):
            return f"[{words}]({inside.removeprefix('docs/')})"
        return f"{words} (`{inside}`)"

    return re.sub(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)", link, source.read_text("utf-8"))
