"""A job in a process of its own: the memory, the threads and the chatter of TensorFlow end with it.

A job goes in as a line of JSON on stdin; what it tells on its way, and the reply, come out as lines on stdout; errors that a user can
mend cross as their class and what they were made of. The process ends where stdin does: nobody waits for it any more.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
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
# Keras and TensorFlow import them where they are installed, for wrappers and pictures that no job asks for: a third of the time that
# their own import takes.
SPARED = ("sklearn", "matplotlib", "pandas")
# Run with -P: nothing in the folder of the user is ever imported. The package itself is found where the installation has it,
# and only where it is not installed, behind everything else, where this process found it.
BEGIN = "import importlib, sys; sys.path.append(sys.argv[1]); importlib.import_module(sys.argv[2]).main()"


def call(
    module: str,
    job: dict[str, Any],
    environment: dict[str, str] | None = None,
    tell: Callable[..., None] = lambda *_: None,
) -> dict[str, Any]:
    """Run ``main`` of a module in a fresh process, which ends with this one.

    Parameters
    ----------
    module : str
        Its ``main`` calls `serve`.
    job : dict
        What JSON knows.
    environment : dict, optional
        Variables for the process, beside those of this one.
    tell : callable
        Is called with what the job tells on its way.

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
    with (
        tempfile.TemporaryFile() as chatter,
        subprocess.Popen(
            [sys.executable, "-P", "-c", BEGIN, str(Path(__file__).resolve().parents[2]), module],
            env={**os.environ, **QUIET, **path, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=chatter,
            text=True,
        ) as process,
    ):
        try:
            reply = _reply(process, job, tell)
        except BaseException:
            process.kill()
            raise
        process.wait()
        chatter.seek(0)
        said = chatter.read().decode(errors="replace").strip().splitlines()
    if reply is None:
        last_words = (said or [f"exit code {process.returncode}"])[-1]
        raise errors.WeightsError(
            f"The backbone could not be prepared: {last_words} (a lack of memory ends the process without a word)."
        )
    if "error" in reply:
        raise getattr(errors, reply["error"])(*reply["arguments"])
    return dict(reply["reply"])


def _reply(process: "subprocess.Popen[str]", job: dict[str, Any], tell: Callable[..., None]) -> Any:
    """Return what a job says last; None where it ended without a reply."""
    assert process.stdin is not None and process.stdout is not None
    with suppress(BrokenPipeError):  # it ended before it had read its job
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
    for line in process.stdout:
        try:
            message = json.loads(line)
        except ValueError:
            return None
        if "told" not in message:
            return message
        tell(*message["told"])
    return None


def serve(work: Callable[..., dict[str, Any]], *, tells: bool = False) -> None:
    """Do the job that stdin describes. Modules in `SPARED` cannot be imported in this process from here on.

    Parameters
    ----------
    work : callable
        Takes the job and, where it `tells`, a callable that takes what is to be told on its way.
    tells : bool
    """
    for module in SPARED:
        sys.modules[module] = None  # type: ignore[assignment]  # to import it is an ImportError, as where it is not installed
    reply_to = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever libraries print goes to stderr
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with, args=(sys.stdin.fileno(),), daemon=True).start()

    def say(message: dict[str, Any]) -> None:
        reply_to.write(json.dumps(message) + "\n")
        reply_to.flush()

    reply: dict[str, Any]
    try:
        reply = {"reply": work(job, lambda *told: say({"told": told})) if tells else work(job)}
    except errors.UsageError as error:
        reply = {"error": type(error).__name__, "arguments": [error.message, error.parameter]}
    except ModuleNotFoundError as error:
        sentence = f"To prepare the backbone, {errors.MISSING.format(library=error.name)}"
        reply = {"error": "WeightsError", "arguments": [sentence]}
    except errors.EmbedError as error:
        reply = {"error": type(error).__name__, "arguments": [str(error)]}
    say(reply)
    reply_to.close()


def _end_with(descriptor: int) -> None:
    """End this process when the one that waits for it has ended."""
    while os.read(descriptor, 4096):  # not through a stream, which Python locks when it ends
        pass
    os._exit(1)
