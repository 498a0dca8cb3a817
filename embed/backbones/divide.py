"""The job of a child process: build a network and find where it can be cut."""

from dataclasses import asdict
from typing import Any

from embed.backbones import child
from embed.backbones.applications import KerasApplication
from embed.backbones.backbone import Request
from embed.backbones.network import BACKBONES
from embed.backbones.tail import cuts_of


def _divide(job: dict[str, Any]) -> dict[str, Any]:
    backbone = BACKBONES[job["backbone"]]
    assert isinstance(backbone, KerasApplication)
    return {"cuts": [asdict(cut) for cut in cuts_of(backbone, Request(**job["request"]))]}


def main() -> None:
    """Do the job of a child process."""
    child.serve(_divide)
