"""Ray, started on this machine or joined elsewhere, without what it would do to a program that uses it."""

import contextlib
import logging
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from embed.errors import InputError, UsageError
from embed.machine import processors

LOCAL, AUTO = "local", "auto"
KEEPALIVE_MS = 5_000  # until a node that is cut off is asked whether it is there; Ray's own are 300,000
STORE_BYTES = 256 << 20  # of memory that the processes of one machine share: little goes through it
ANSWER_S = 10.0  # within which a head node has to answer
LONGEST_TEMPORARY = 30  # characters; the name of a socket below it has a hundred at most

# Said before Ray is imported, and to every process that it starts. What the user has set holds.
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is told to anybody
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # what it does anyhow, without a warning
}
OWN_NODES = {
    "RAY_AUTH_MODE": "token",
    # The node that others connect to refuses who asks more often than it does itself: all of a cluster have the same.
    "RAY_grpc_client_keepalive_time_ms": str(KEEPALIVE_MS),
    "RAY_grpc_client_keepalive_timeout_ms": str(KEEPALIVE_MS),
}
# How often it asks a head node that stops answering, half a minute each time; Ray itself asks twenty times.
OF_OTHERS = {"RAY_gcs_server_port_wait_time_s": "2"}


def check_address(address: str) -> None:
    """Refuse what is no address, before anything is looked for.

    Raises
    ------
    UsageError
    """
    if address in (LOCAL, AUTO):
        return
    host, colon, port = address.rpartition(":")
    if "://" in address or not host or not colon or not port.isdecimal():
        raise UsageError(
            f"{address!r} is no cluster: say {LOCAL} (starts one on this machine), {AUTO} (the one that this machine is part of) "
            "or HOST:PORT, the address of a head node",
            "cluster",
        )


@contextlib.contextmanager
def connected(address: str) -> Iterator[Any]:
    """Start or join a cluster, and give the module `ray`; at the end it is left, or stopped.

    Of a program that is in a cluster already that one is used, and stays.

    Parameters
    ----------
    address : str
        ``"local"``, ``"auto"`` or ``HOST:PORT``.

    Raises
    ------
    UsageError
        It is no address, or Ray is not installed.
    InputError
        No cluster answers there.
    """
    check_address(address)
    said = dict(QUIET)
    # Of a program that has imported Ray before, the library has read its settings already, and would not know the token.
    if address == LOCAL and "ray" not in sys.modules:
        said |= {**OWN_NODES, "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    elif address != LOCAL:
        said |= OF_OTHERS
    with contextlib.ExitStack() as stack:
        stack.enter_context(_environment(said))
        ray = _import()
        if not ray.is_initialized():
            options: dict[str, Any] = {"address": address}
            if address == LOCAL:
                options |= {
                    "num_cpus": processors(),
                    "object_store_memory": STORE_BYTES,
                    "include_dashboard": False,
                    "_node_ip_address": "127.0.0.1",
                    "_temp_dir": str(stack.enter_context(_temporary_folder())),
                }
            stack.callback(ray.shutdown)
            _init(ray, address, options)
        yield ray


def _import() -> Any:
    try:
        import ray
        import ray.util.scheduling_strategies
    except ImportError as error:
        raise UsageError("needs Ray: pip install 'embed-images[cluster]'", "cluster") from error
    return ray


def _init(ray: Any, address: str, options: dict[str, Any]) -> None:
    former = signal.getsignal(signal.SIGTERM)
    try:
        # The workers look for modules in the folder in which this is called, before any other.
        with contextlib.chdir("/"):
            if address != LOCAL:
                _knock(ray, address)
            ray.init(**options, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # what it raises is of no class of its own
        raise InputError(f"No Ray cluster can be used at {address!r}: {_line(error)}.") from error
    finally:
        # Ray has put its own handler there, which ends the process at once.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, former)
    # It prints to stdout that a worker has died, where results are.
    ray._private.worker._worker_logs_enabled = False


def _knock(ray: Any, address: str) -> None:
    """Raise ConnectionError where nobody answers, which Ray itself would ask for minutes."""
    found = ray._private.services.canonicalize_bootstrap_address(address)
    if found is None:
        raise ConnectionError("this machine is part of none")
    host, _, port = found.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_S).close()
    except OSError as error:
        raise ConnectionError(f"nobody answers at {found} ({error.strerror or error})") from error


def _line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300].rstrip(".")


@contextlib.contextmanager
def _environment(said: Mapping[str, str]) -> Iterator[None]:
    """Set variables that are not set, and keep what is below the working folder off the paths of other processes."""
    search = os.environ.get("PYTHONPATH")
    values = {name: value for name, value in said.items() if name not in os.environ}
    if search is not None:
        values["PYTHONPATH"] = os.pathsep.join(filter(os.path.isabs, search.split(os.pathsep)))
    former = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _temporary_folder() -> Iterator[Path]:
    """Make a folder for the files of a cluster of this machine, so that it leaves no address that others would follow."""
    short = tempfile.gettempdir() if len(tempfile.gettempdir()) <= LONGEST_TEMPORARY else "/tmp"
    folder = Path(tempfile.mkdtemp(prefix="embed-ray-", dir=short))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
