"""`embed serve` under load: requests per second, the median and the 99th percentile of their times, and memory.

    python benchmarks/serve.py [--seconds 15] [--clients 1 8 64] [--photographs 100000] [--cache FOLDER]

Clients in a process of their own ask over the loopback, each one photograph at a time that is not in the cache: `similar` and
`predict` of `embed serve`, and beside them the same network behind ONNX Runtime and FastAPI, written in the shortest way
(`pip install fastapi onnxruntime onnx tf2onnx`), in turn with it; and `similar` among the rows of `scale.py`. All share the
processors of this machine.
"""

import http.client
import io
import json
import os
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import common
import numpy as np
import scale
from PIL import Image

from embed.cache import open_features

PHOTOGRAPHS = 64  # asked about in turn
QUALITY = 85
POLL_S = 0.1
PLAIN_PORT = 8790

PLAIN = """
import io, sys
import numpy as np, onnxruntime, uvicorn
from fastapi import FastAPI, UploadFile
from PIL import Image

session = onnxruntime.InferenceSession(sys.argv[1])
name = session.get_inputs()[0].name
app = FastAPI()

@app.post("/predict")
def predict(photograph: UploadFile):
    image = Image.open(io.BytesIO(photograph.file.read())).convert("RGB").resize((224, 224))
    probabilities = session.run(None, {name: np.asarray(image)[None]})[0][0]
    return {"class": int(probabilities.argmax()), "probability": float(probabilities.max())}

uvicorn.run(app, port=int(sys.argv[2]), log_level="error")
"""


def photographs(folder: Path) -> list[bytes]:
    """Return photographs saved again, so that none is in the cache."""
    files = sorted(folder.rglob("*.jpg"))[:: len(list(folder.rglob("*.jpg"))) // PHOTOGRAPHS][:PHOTOGRAPHS]
    found = []
    for file in files:
        stream = io.BytesIO()
        with Image.open(file) as image:
            image.convert("RGB").save(stream, "JPEG", quality=QUALITY)
        found.append(stream.getvalue())
    return found


def body_of(field: str, data: bytes) -> tuple[bytes, str]:
    """Return a form with one file, and its content type."""
    boundary = secrets.token_hex(8)
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"; filename="a.jpg"\r\n\r\n'
    return (
        head.encode() + data + f"\r\n--{boundary}--\r\n".encode(),
        f"multipart/form-data; boundary={boundary}",
    )


def load(
    port: int, path: str, field: str, token: str, clients: int, seconds: float, folder: Path
) -> dict[str, Any]:
    """Ask for so many seconds with so many clients, and return what the requests took."""
    bodies = [body_of(field, file.read_bytes()) for file in sorted(folder.iterdir())]
    times: list[float] = []
    refused = [0]
    end = time.perf_counter() + seconds

    def client(first: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        place = first
        while time.perf_counter() < end:
            body, kind = bodies[place % len(bodies)]
            place += 1
            started = time.perf_counter()
            connection.request("POST", path, body, {"content-type": kind, "authorization": f"Bearer {token}"})
            response = connection.getresponse()
            response.read()
            if response.status == 200:
                times.append(time.perf_counter() - started)
            else:
                refused[0] += 1

    threads = [threading.Thread(target=client, args=(number * 7,)) for number in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - started
    return {
        "requests": len(times),
        "per second": len(times) / took,
        "p50 ms": 1000 * statistics.median(times),
        "p99 ms": 1000 * float(np.quantile(times, 0.99)),
        "refused": refused[0],
    }


def resident_mb(process: int) -> float:
    """Return the memory of a process and its children in megabytes."""
    total = 0.0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
        except OSError:
            continue
        if int(fields["Pid"]) == process or int(fields["PPid"]) == process:
            total += int(fields.get("VmRSS", "0 kB").split()[0]) / 1024
    return total


def asked(
    port: int, path: str, field: str, token: str, clients: int, seconds: float, folder: Path
) -> dict[str, Any]:
    """Run `load` in a process of its own."""
    return common.measure(__file__, port, path, field, token or "-", clients, seconds, folder)


@contextmanager
def embed_serve(cache: Path) -> Iterator[tuple[int, int, str]]:
    """Run `embed serve` while the block lasts: its process, port and token, once it is ready for searches."""
    serving = subprocess.Popen(
        [*common.EMBED, "serve", "--no-open", "--port", "0", "--cache", str(cache)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert serving.stdout is not None
        address = urlsplit(serving.stdout.readline().strip())
        port, token = address.port or 0, address.fragment.removeprefix("token=")
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while True:
            connection.request("GET", "/api/status", headers={"authorization": f"Bearer {token}"})
            jobs = json.loads(connection.getresponse().read())["jobs"]
            if any(job["kind"] == "prepare" and not job["running"] for job in jobs):
                break
            time.sleep(POLL_S)
        connection.close()
        yield serving.pid, port, token
    finally:
        serving.send_signal(signal.SIGTERM)
        serving.wait()


@contextmanager
def plain_server(cache: Path, place: Path) -> Iterator[tuple[int, int, str]]:
    """Run the same network and classifier behind ONNX Runtime and FastAPI while the block lasts."""
    model, script = place / "classifier.onnx", place / "plain.py"
    subprocess.run(
        [*common.EMBED, "export", "model", "--to", str(model), "--cache", str(cache)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    script.write_text(PLAIN)
    serving = subprocess.Popen([sys.executable, str(script), str(model), str(PLAIN_PORT)])
    try:
        while True:
            try:
                http.client.HTTPConnection("127.0.0.1", PLAIN_PORT).request("GET", "/")
                break
            except OSError:
                if serving.poll() is not None:
                    sys.exit(
                        "The plain server did not start: pip install fastapi onnxruntime python-multipart"
                    )
                time.sleep(POLL_S)
        yield serving.pid, PLAIN_PORT, ""
    finally:
        serving.terminate()
        serving.wait()


def main() -> None:
    """Measure everything, and keep it."""
    parser = common.arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--photographs", type=int, default=100_000, help="in the large set; 0: without it")
    common.takes_cache(parser)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as place:
        os.environ.update(common.environment())
        cache = common.cached(options.cache, place, "clothing")
        folder = Path(place) / "asked"
        folder.mkdir()
        for number, data in enumerate(photographs(common.clothing())):
            (folder / f"{number:03d}.jpg").write_bytes(data)
        common.embed("fit", "--cache", str(cache))

        def measured(name: str, server: tuple[int, int, str], path: str, field: str, clients: int) -> float:
            process, port, token = server
            found = asked(port, path, field, token, clients, options.seconds, folder)
            rows.append({"asked": name, "clients": clients, **found, "MB": resident_mb(process)})
            return float(found["per second"])

        with embed_serve(cache) as ours, plain_server(cache, Path(place)) as theirs:
            servers = [
                ("similar", ours, "/api/similar", "photographs"),
                ("predict", ours, "/api/predict", "photographs"),
                ("ONNX Runtime + FastAPI", theirs, "/predict", "photograph"),
            ]
            for _, (_, port, token), path, field in servers:
                asked(port, path, field, token, 1, 2, folder)  # what is opened when it is first asked for
            for clients in options.clients:
                found = {name: measured(name, *server, clients) for name, *server in servers}
                rows[-2]["against plain"] = found["predict"] / found["ONNX Runtime + FastAPI"]
        if options.photographs:
            large = scale.make(Path(place) / "large", open_features(cache), options.photographs)
            with embed_serve(large) as server:
                for clients in options.clients:
                    measured(
                        f"similar among {options.photographs:,}",
                        server,
                        "/api/similar",
                        "photographs",
                        clients,
                    )
    common.print_table(rows)
    common.save("serve", {"seconds": options.seconds, "rows": rows})


if __name__ == "__main__":
    if sys.argv[1:2] == ["worker"]:
        given = sys.argv[2:]
        result = load(
            int(given[0]), given[1], given[2], given[3], int(given[4]), float(given[5]), Path(given[6])
        )
        print(json.dumps(result))
    else:
        main()
