"""Open directories for FCHDIR."""

from __future__ import annotations

import fcntl
import os

from agent_exec.model.action import Action

FIRST_FD = 3
"""0, 1 and 2 are the child's, also where the host runs without them."""


class Directory:
    """An open directory. It closes when nobody refers to it any more.

    Raises:
        OSError: ENOENT, ENOTDIR, EACCES, EMFILE.
    """

    __slots__ = ("_key", "actions", "fd")

    def __init__(self, path: str) -> None:
        self.fd = _open(path)
        """Close-on-exec, at least 3; borrowed, valid while this object is referred to."""
        self.actions = (Action.fchdir(self.fd),)
        """What a child does to change to it."""
        status = os.fstat(self.fd)
        self._key = (status.st_dev, status.st_ino)

    def is_at(self, path: str) -> bool:
        """Does `path` still name it?

        Raises:
            OSError: The path cannot be looked at.
        """
        status = os.stat(path)
        return (status.st_dev, status.st_ino) == self._key

    def path(self) -> str:
        """By which it is reached now, whatever has become of the path that it had: proc(5)."""
        return f"/proc/self/fd/{self.fd}"

    def __del__(self) -> None:
        if hasattr(self, "fd"):
            os.close(self.fd)


def _open(path: str) -> int:
    # Not O_PATH: the RFC's FCHDIR refuses that.
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    if fd >= FIRST_FD:
        return fd
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST_FD)
    finally:
        os.close(fd)
