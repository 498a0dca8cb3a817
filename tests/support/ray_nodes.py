"""A Ray cluster of several nodes on this machine, each of which can be killed, frozen, or cut off from the others."""

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from keeper import Keeper, below
from s3_server import free_ports
from waiting import BUSY_S, until

SUPPORT = Path(__file__).parent
HEAD = "head"
JOINED = "Ray runtime started"
# A node that does not answer is given up after some three seconds rather than twenty-five.
SOON = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "1000",
    "RAY_health_check_failure_threshold": "3",
}
# As quick as the test itself, on a machine that has other things to do.
QUICK = {"RAY_worker_niceness": "0"}
KEEPALIVE = {"RAY_grpc_client_keepalive_time_ms": "5000", "RAY_grpc_client_keepalive_timeout_ms": "5000"}


def needs_ray():
    """Skip the test where there is no Ray."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'embed-images[cluster]'")


class RayNodes(contextlib.AbstractContextManager):
    """Nodes by name; all are gone at the end.

    Parameters
    ----------
    folder : Path
        For what they print.
    networks : bool
        Whether each node has a network of its own, which can be cut.
    """

    def __init__(self, folder, *, networks=False):
        self.folder = folder
        self.keeper = Keeper()
        # Paths of sockets are short.
        self.temporary = Path(tempfile.mkdtemp(prefix="ert-", dir="/tmp"))
        self.pids = {}
        self.environment = {
            **os.environ,
            **SOON,
            **KEEPALIVE,
            **QUICK,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            "PYTHONPATH": str(SUPPORT),
        }
        self.networks = Networks() if networks else None
        host = self.networks.host if networks else "127.0.0.1"
        self.address = f"{host}:{free_ports(1)[0]}"

    def ready(self, *names):
        """Wait until nodes have joined."""
        for name in names:
            log = self.folder / f"{name}.log"

            def joined(name=name, log=log):
                said = log.read_text("utf-8", "replace")
                assert self.keeper.code(self.pids[name]) is None, said
                return JOINED in said

            until(joined, f"node {name} to join", BUSY_S)

    def start(self, name, processors=1):
        """Start a node, the head first; it takes seconds until it is `ready`."""
        host, _, port = self.address.partition(":")
        command = [
            sys.executable,
            "-P",
            SUPPORT / "ray_start.py",
            "start",
            "--block",
            "--disable-usage-stats",
        ]
        command += [f"--num-cpus={processors}", "--num-gpus=0", f"--object-store-memory={100 << 20}"]
        if name == HEAD:
            command += ["--head", f"--port={port}", "--include-dashboard=false"]
            command += [f"--ray-client-server-port={free_ports(1)[0]}"]
            command += [f"--node-ip-address={host}", f"--temp-dir={self.temporary}"]
        else:
            command += [f"--address={self.address}"]
            if self.networks:
                command += [f"--node-ip-address={self.networks.add(name)}"]
                command = ["ip", "netns", "exec", self.networks.name(name), *command]
            else:
                command += [f"--node-ip-address={host}"]
        environment = {**self.environment, "EMBED_NODE": name}
        self.pids[name] = self.keeper.start(command, self.folder / f"{name}.log", environment, self.folder)

    def run(self, *command, env=None, cwd=None, log="driver.log"):
        """Start a command that uses the cluster, and return its pid."""
        return self.keeper.start(
            command, self.folder / log, {**self.environment, **(env or {})}, cwd or self.folder
        )

    def wait(self, pid):
        """Return the exit code of a command."""
        until(lambda: self.keeper.code(pid) is not None, f"process {pid} to end", BUSY_S)
        return self.keeper.code(pid)

    def kill(self, name):
        """Kill all that is a node, as when its power goes."""
        for pid in [self.pids[name], *below(self.pids[name])]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def freeze(self, name, number=signal.SIGSTOP):
        """Stop all that is a node, or let it go on (SIGCONT)."""
        for pid in [self.pids[name], *below(self.pids[name])]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def __exit__(self, *_):
        self.keeper.__exit__()
        if self.networks:
            self.networks.remove()
        shutil.rmtree(self.temporary, ignore_errors=True)


class Networks:
    """A network for each node, joined by a bridge, where the machine allows it."""

    def __init__(self):
        self._mark = secrets.token_hex(3)
        self._number = 10 + int(self._mark, 16) % 200
        self.host = f"10.231.{self._number}.1"
        self._nodes = {}
        self._bridge = f"eb{self._mark}"
        if shutil.which("ip") is None or os.geteuid() != 0:
            pytest.skip("networks of their own need root and the command ip")
        done = subprocess.run(
            ["ip", "link", "add", self._bridge, "type", "bridge"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"this machine allows no networks of their own: {done.stderr.strip()}")
        self._ip("addr", "add", f"{self.host}/24", "dev", self._bridge)
        self._ip("link", "set", self._bridge, "up")

    def name(self, node):
        return f"{self._bridge}-{node}"

    def add(self, node):
        """Make the network of a node, and return its address."""
        number = len(self._nodes) + 2
        self._nodes[node] = f"v{self._mark}{number}"
        inside, outside, space = f"w{self._mark}{number}", self._nodes[node], self.name(node)
        self._ip("netns", "add", space)
        self._ip("link", "add", outside, "type", "veth", "peer", "name", inside)
        self._ip("link", "set", inside, "netns", space)
        self._ip("link", "set", outside, "master", self._bridge)
        self._ip("link", "set", outside, "up")
        address = f"10.231.{self._number}.{number}"
        for command in (
            ("addr", "add", f"{address}/24", "dev", inside),
            ("link", "set", inside, "up"),
            ("link", "set", "lo", "up"),
        ):
            self._ip("netns", "exec", space, "ip", *command)
        return address

    def cut(self, node):
        """Pull the cable of a node."""
        self._ip("link", "set", self._nodes[node], "down")

    def join(self, node):
        """Put it back."""
        self._ip("link", "set", self._nodes[node], "up")

    def remove(self):
        """Take all networks away."""
        for node in self._nodes:
            self._ip("netns", "del", self.name(node), check=False)
            self._ip("link", "del", self._nodes[node], check=False)
        self._ip("link", "del", self._bridge, check=False)

    def _ip(self, *command, check=True):
        subprocess.run(["ip", *command], check=check, capture_output=True)


def last_json(log):
    """Return the document that a command has printed, among what else it has said."""
    text = log.read_text("utf-8", "replace")
    begin = text.index("{") if text.startswith("{") else text.index("\n{") + 1
    return json.JSONDecoder().raw_decode(text[begin:])[0]
