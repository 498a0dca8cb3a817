"""One self-contained HTML file: no network, dark or light as the reader's system is, readable on a phone.

Whatever comes from outside (file names, labels) passes through `text`; the page forbids itself to load anything or to
run any script but the ones given to `render`, so that a hostile name is shown and does nothing.
"""

import base64
import hashlib
import html
import json
import webbrowser
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from embed import __version__


def text(value: object) -> str:
    """Return a value as it may stand in HTML, between tags or inside a quoted attribute."""
    visible = "".join(
        c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in str(value)
    )
    return html.escape(visible, quote=True)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, in the plural where it is one."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def data_uri(content: bytes, kind: str = "image/jpeg") -> str:
    """Return bytes as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def json_block(name: str, value: Any) -> str:
    """Return a script element that holds a JSON document for a script of the page to read."""
    # In JSON "<" stands inside strings only, where it may be written so that no tag can begin.
    document = json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="{text(name)}">{document}</script>'


def render(
    title: str, body: str, *, summary: str = "", scripts: Sequence[str] = (), styles: Sequence[str] = ()
) -> str:
    """Return a whole page.

    Args:
        title: plain text, for the heading and the browser's tab.
        body: HTML whose every piece from outside went through `text`.
        summary: plain text below the heading.
        scripts: JavaScript to run at the end of the page.
        styles: CSS of the page's own, after that of all pages.
    """
    allowed = " ".join(f"'sha256-{_digest(script)}'" for script in scripts) or "'none'"
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {allowed}"
    style = "\n".join([files(__package__).joinpath("page.css").read_text("utf-8"), *styles])
    lead = f"<p>{text(summary)}</p>" if summary else ""
    tail = "".join(f"<script>{script}</script>" for script in scripts)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{text(title)}</title>
<style>{style}</style>
</head>
<body>
<header><h1>{text(title)}</h1>{lead}</header>
<main>
{body}
</main>
<footer>embed {__version__}</footer>
{tail}</body>
</html>
"""


def show(file: Path) -> None:
    """Open a page in the reader's browser."""
    webbrowser.open(file.resolve().as_uri())


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
