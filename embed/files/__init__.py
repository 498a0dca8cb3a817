"""Files that are whole or not there: the one way in which this project writes, replaces and reads a small file.

A file is written under a temporary name in the folder where it is to be, and takes its name once it is whole.
"""

from embed.files.cells import escape, unescape, write_rows
from embed.files.documents import from_json, read_bytes, read_document, seal, unseal, write_document
from embed.files.draft import (
    TEMPORARY_PREFIX,
    Draft,
    publish,
    publish_folder,
    replace,
    replacing,
    sweep,
    temporary_folder,
    write,
    write_error,
)
from embed.files.folders import (
    append_line,
    folders_with,
    make_folder,
    move_aside,
    remove,
    sync_folder,
)
from embed.files.locked import locked
from embed.files.trust import Boundary, close_to_others, tell

__all__ = [
    "TEMPORARY_PREFIX",
    "Boundary",
    "Draft",
    "append_line",
    "close_to_others",
    "escape",
    "folders_with",
    "from_json",
    "locked",
    "make_folder",
    "move_aside",
    "publish",
    "publish_folder",
    "read_bytes",
    "read_document",
    "remove",
    "replace",
    "replacing",
    "seal",
    "sweep",
    "sync_folder",
    "tell",
    "temporary_folder",
    "unescape",
    "unseal",
    "write",
    "write_document",
    "write_error",
    "write_rows",
]
