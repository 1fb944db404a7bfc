"""Open a directory for FCHDIR."""

from __future__ import annotations

import fcntl
import os

FIRST_FD = 3
"""0, 1 and 2 are the child's, also where the host runs without them."""


def open_directory(path: str) -> int:
    """A close-on-exec descriptor of at least 3, which the caller closes.

    Not O_PATH: the RFC's FCHDIR refuses that.

    Raises:
        OSError: ENOENT, ENOTDIR, EACCES, EMFILE.
    """
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    if fd >= FIRST_FD:
        return fd
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, FIRST_FD)
    finally:
        os.close(fd)
