"""Keras in a process of its own: TensorFlow's memory, threads and chatter end with it.

`call` is the side of the caller; run as a module, this file is the other side. A job goes in as JSON on stdin, the
reply comes out as JSON on stdout; errors that a user can mend cross as their class and sentence.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from embed import errors

QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "CUDA_VISIBLE_DEVICES": "-1",  # the export needs no GPU, and must not hold one
    "KERAS_BACKEND": "tensorflow",  # the one whose graphs OpenVINO reads best, whatever the user computes with
    "PYTHONWARNINGS": "ignore",
}
SOCKET_SECONDS = 30  # a download that stalls for so long has failed


def call(job: dict[str, Any], environment: dict[str, str] | None = None) -> dict[str, Any]:
    """Run one job in a fresh process and return its reply. Raises what the job raised, if it is an EmbedError."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "embed.backbones.child"],
        input=json.dumps(job),
        env={**os.environ, **QUIET, "PYTHONPATH": _search_path(), **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        reply = json.loads(done.stdout)
    except ValueError:
        last_words = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise errors.WeightsError(
            f"Keras could not prepare the backbone: {last_words} (a lack of memory ends the process without a word)."
        ) from None
    if "error" in reply:
        raise getattr(errors, reply["error"])(reply["message"])
    return dict(reply)


def _search_path() -> str:
    """PYTHONPATH of the child: ours without the entries that mean the working folder, where files of strangers may lie."""
    # Behind -P, which leaves the working folder out, this package has to be found wherever it was imported from.
    package_parent = str(Path(__file__).resolve().parents[2])
    entries = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join([*filter(os.path.isabs, entries), package_parent])


def _download(job: dict[str, Any]) -> dict[str, Any]:
    import socket

    socket.setdefaulttimeout(SOCKET_SECONDS)
    import keras

    try:
        getattr(keras.applications, job["backbone"])(weights="imagenet", include_top=job["classifier"])
    except Exception as error:  # noqa: BLE001 - Keras raises a bare Exception for a failed download
        return {"problem": str(error).splitlines()[0]}
    return {}


def _export(job: dict[str, Any]) -> dict[str, Any]:
    from embed.backbones import build
    from embed.backbones.network import ResolvedNetwork

    return build.export(ResolvedNetwork.from_json(job["network"]), Path(job["folder"]))


JOBS = {"download": _download, "export": _export}


def main() -> None:
    """Run the job that stdin describes."""
    reply_to = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever libraries print goes to stderr
    job = json.load(sys.stdin)
    try:
        reply = JOBS[job["job"]](job)
    except errors.EmbedError as error:
        reply = {"error": type(error).__name__, "message": str(error)}
    json.dump(reply, reply_to)
    reply_to.close()


if __name__ == "__main__":
    main()
