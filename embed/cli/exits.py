"""Exit codes."""

ERROR = 1
USAGE = 2
SOME_FAILED = 3
INTERRUPTED = 130  # 128 + SIGINT, as shells report it


def of_photographs(*, done: int, failed: int, strict: bool) -> int:
    """Return the code of a command that went through photographs: an error where none could be used."""
    if failed and not done:
        return ERROR
    return SOME_FAILED if failed and strict else 0
