"""A disk in a file that can be taken away while it is used, where the machine allows mounting."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

SIZES = {"ext4": 16 << 20, "xfs": 320 << 20, "btrfs": 128 << 20}  # bytes, about the least that each takes
SHUT_DOWN = 0x8004587D  # the ioctl after which ext4, XFS and Btrfs answer every call with an error
WITHOUT_A_FLUSH = b"\2\0\0\0"  # what was not synced is lost, as when a disk is pulled


class UnavailableError(Exception):
    "This machine has no such disk."


class LoopDisk:
    """A file system in a file, mounted.

    Parameters
    ----------
    folder : Path
        Where the file is.
    place : Path
        Where it is mounted; an empty folder.
    kind : {"ext4", "xfs", "btrfs"}

    Raises
    ------
    UnavailableError
        The machine cannot make or mount it.
    """

    def __init__(self, folder, place, kind="ext4"):
        self.place, self.file, self.copy = Path(place), folder / f"{kind}.disk", folder / f"{kind}.copy"
        self.mounted = False
        if shutil.which(f"mkfs.{kind}") is None:
            raise UnavailableError(f"this machine has no mkfs.{kind}")
        with open(self.file, "wb") as file:
            file.truncate(SIZES[kind])
        subprocess.run([f"mkfs.{kind}", "-q", self.file], check=True, capture_output=True)
        self.mount()

    def mount(self):
        done = subprocess.run(
            ["mount", "-o", "loop", self.file, self.place], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise UnavailableError(f"this machine allows no mounting: {done.stderr.strip()}")
        self.mounted = True

    def unmount(self):
        if self.mounted:
            subprocess.run(["umount", "-l", self.place], check=True, capture_output=True)
            self.mounted = False

    def go_away(self, how):
        """Take the disk away: "shut down" under whoever uses it, "pulled" so that nothing can be read, or "unmounted"."""
        if how == "unmounted":
            self.unmount()
        elif how == "shut down":
            self._shut_down()
        else:
            self.unmount()  # so that nothing of it is in memory
            self._wait_until_free()
            shutil.copy(self.file, self.copy)
            self.mount()
            os.truncate(self.file, 0)

    def come_back(self):
        """Put the disk in place again, with what had reached it."""
        self.unmount()
        self._wait_until_free()
        if self.copy.exists():
            self.copy.replace(self.file)
        self.mount()

    def _shut_down(self):
        descriptor = os.open(self.place, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, SHUT_DOWN, WITHOUT_A_FLUSH)
        finally:
            os.close(descriptor)

    def _wait_until_free(self):
        """Wait until no device stands for the file: one file of two devices would be two disks."""
        from waiting import until

        def free():
            listed = subprocess.run(
                ["losetup", "--associated", self.file], capture_output=True, text=True, check=True
            )
            return not listed.stdout

        until(free, "the loop device to be given back")
