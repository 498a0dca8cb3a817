"""A job in a process of its own: the memory, the threads and the chatter of TensorFlow end with it.

A job goes in as JSON on stdin, the reply comes out as JSON on stdout; errors that a user can mend cross as their class and
what they were made of.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from embed import errors

QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TF_ENABLE_ONEDNN_OPTS": "1",
    "CUDA_VISIBLE_DEVICES": "-1",  # an export needs no GPU, and must not hold one
    "KERAS_BACKEND": "tensorflow",  # the one whose graphs OpenVINO reads, whatever the user computes with
    "PYTHONWARNINGS": "ignore",
}
# Run with -P: nothing in the folder of the user is ever imported. The package itself is found where the installation has it,
# and only where it is not installed, behind everything else, where this process found it.
BEGIN = "import importlib, sys; sys.path.append(sys.argv[1]); importlib.import_module(sys.argv[2]).main()"


def call(module: str, job: dict[str, Any], environment: dict[str, str] | None = None) -> dict[str, Any]:
    """Run ``main`` of a module in a fresh process.

    Parameters
    ----------
    module : str
        Its ``main`` calls `serve`.
    job : dict
        What JSON knows.
    environment : dict, optional
        Variables for the process, beside those of this one.

    Returns
    -------
    dict

    Raises
    ------
    EmbedError
        What the job raised, or a WeightsError where the process ended without a reply.
    """
    search = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    # An entry that is empty or relative means a folder below the working folder.
    path = {"PYTHONPATH": os.pathsep.join(filter(os.path.isabs, search))}
    done = subprocess.run(
        [sys.executable, "-P", "-c", BEGIN, str(Path(__file__).resolve().parents[2]), module],
        input=json.dumps(job),
        env={**os.environ, **QUIET, **path, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        reply = json.loads(done.stdout)
    except ValueError:
        last_words = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise errors.WeightsError(
            f"The backbone could not be prepared: {last_words} (a lack of memory ends the process without a word)."
        ) from None
    if "error" in reply:
        raise getattr(errors, reply["error"])(*reply["arguments"])
    return dict(reply)


def serve(work: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Do the job that stdin describes."""
    reply_to = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever libraries print goes to stderr
    job = json.load(sys.stdin)
    try:
        reply = work(job)
    except errors.UsageError as error:
        reply = {"error": type(error).__name__, "arguments": [error.message, error.parameter]}
    except ModuleNotFoundError as error:
        sentence = f"To prepare the backbone, {errors.MISSING.format(library=error.name)}"
        reply = {"error": "WeightsError", "arguments": [sentence]}
    except errors.EmbedError as error:
        reply = {"error": type(error).__name__, "arguments": [str(error)]}
    json.dump(reply, reply_to)
    reply_to.close()
