"""The three standard streams, whatever the shell made of them."""

import codecs
import os
import sys


def prepare() -> None:
    """Make the standard streams ones that can be written to.

    A stream that was closed leads nowhere; left closed, its number would be that of the next file which is opened, and
    a library's message would end up in it. File names are bytes, and are written as they came; what the encoding of a
    terminal lacks is escaped.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere == number:
                os.set_inheritable(number, True)
            else:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115
    codecs.register_error("embed-output", _as_it_came)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="embed-output")  # type: ignore[union-attr]


def drop_output() -> None:
    """Send what is still to be written nowhere: it would be tried, and fail, once more at the end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _as_it_came(error: UnicodeError) -> tuple[bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    encoded = (
        bytes([ord(one) - 0xDC00]) if "\udc80" <= one <= "\udcff" else one.encode("ascii", "backslashreplace")
        for one in characters
    )
    return b"".join(encoded), error.end
