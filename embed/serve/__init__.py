"""A feature set as a page on the user's own machine, and as an HTTP interface for other programs.

Starlette and uvicorn are imported where a server is started; to ask one needs neither.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embed.serve.client import Client
    from embed.serve.options import Options
    from embed.serve.run import serve

_HOMES = {"Client": "client", "Options": "options", "serve": "run"}

__all__ = ["Client", "Options", "serve"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'embed.serve' has no attribute {name!r}")
    return getattr(import_module(f"embed.serve.{_HOMES[name]}"), name)
