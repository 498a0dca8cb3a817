"""The job of a child process: Keras downloads published weights, and checks them where it knows their hash."""

import socket
from typing import Any

from embed.backbones import child

SOCKET_SECONDS = 10  # a server that is silent for so long is taken for none


def _download(job: dict[str, Any]) -> dict[str, Any]:
    socket.setdefaulttimeout(SOCKET_SECONDS)
    import keras

    try:
        getattr(keras.applications, job["backbone"])(weights="imagenet", include_top=job["classifier"])
    except Exception as error:  # noqa: BLE001 - Keras raises a bare Exception for a failed download
        return {"problem": str(error).splitlines()[0]}
    return {}


def main() -> None:
    """Do the job of a child process."""
    child.serve(_download)
