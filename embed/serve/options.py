"""Where a server listens, who may ask, and how much at a time."""

import ipaddress
import secrets
import socket
from dataclasses import dataclass, field

from embed.errors import UsageError

HOST = "127.0.0.1"
PORT = 8765  # where none is asked for; another where that is taken
SHORTEST_TOKEN = 16  # characters
TOKEN_BYTES = 24


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a feature set is served.

    Parameters
    ----------
    host : str
        Address to listen at; anything but one of this machine alone demands a token.
    port : int, optional
    token : str, optional
        What whoever asks has to know; by default a new one.
    names : tuple of str
        Names under which this machine is reached, beside its own and its addresses.
    most_bytes : int
        Of a request.
    most_photographs : int
        In a request.
    most_waiting : int
        Photographs that wait to be computed; more are refused, with 429.
    most_requests : int
        At a time; more are refused, with 429.
    seconds : float
        That a request may take, and that its body may take to arrive.
    labels : str, optional
        Where labels come from; by default those given by hand, or the folders where these label more.

    Raises
    ------
    UsageError
        One of them cannot work.
    """

    host: str = HOST
    port: int | None = None
    token: str | None = field(default=None, repr=False)
    names: tuple[str, ...] = ()
    most_bytes: int = 64 << 20
    most_photographs: int = 64
    most_waiting: int = 256
    most_requests: int = 128
    seconds: float = 60.0
    labels: str | None = None

    def __post_init__(self) -> None:
        if self.port is not None and not 0 <= self.port < 1 << 16:
            raise UsageError(f"{self.port} is no port; it is 0 to 65535", "port")
        if self.token is None and not is_this_machine(self.host):
            raise UsageError(
                f"lets others ask ({self.host}), and they would need nothing for it: give a token, such as the output of"
                " `openssl rand -hex 24`, as the token, or in EMBED_TOKEN",
                "host",
            )
        if self.token is not None and (
            len(self.token) < SHORTEST_TOKEN or not self.token.isascii() or not self.token.isprintable()
        ):
            raise UsageError(
                f"has {SHORTEST_TOKEN} plain characters or more, so that nobody guesses it", "token"
            )

    def secret(self) -> str:
        """Return the token, or a new one where none was given."""
        return self.token or secrets.token_urlsafe(TOKEN_BYTES)


def is_this_machine(host: str) -> bool:
    """Return whether nobody but this machine reaches an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def listen(options: Options) -> socket.socket:
    """Return a socket that listens; where no port was asked for and the usual one is taken, at another.

    Raises
    ------
    UsageError
        The address is not this machine's, or the port is taken.
    """
    wanted = [PORT, 0] if options.port is None else [options.port]
    for port in wanted:
        try:
            return _bound(options.host, port)
        except OSError as error:
            if port != wanted[-1]:
                continue
            raise UsageError(
                f"cannot be used: {error.strerror or error} ({options.host}, port {port})",
                "host" if isinstance(error, socket.gaierror) else "port",
            ) from error
    raise AssertionError("unreachable")


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(128)
    except OSError:
        listening.close()
        raise
    listening.setblocking(False)
    return listening
