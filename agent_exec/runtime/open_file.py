"""Open the files that a call names for redirection."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping

from agent_exec.model.script import Operator

_CREATE = os.O_WRONLY | os.O_CREAT
_FLAGS: Mapping[Operator, int] = {
    Operator.READ: os.O_RDONLY,
    Operator.READ_WRITE: os.O_RDWR | os.O_CREAT,
    Operator.WRITE: _CREATE | os.O_TRUNC,
    Operator.CLOBBER: _CREATE | os.O_TRUNC,
    Operator.WRITE_BOTH: _CREATE | os.O_TRUNC,
    Operator.APPEND: _CREATE | os.O_APPEND,
    Operator.APPEND_BOTH: _CREATE | os.O_APPEND,
}
_MODE = 0o666
_FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class NamedPipeError(OSError):
    """Opening it could take for ever; only a real shell waits for that."""


def open_file(target: str, cwd: str, operator: Operator) -> int:
    """Open `target` as a shell would for `operator`; close-on-exec.

    The path is resolved first, as it was when it was judged, and then opened without
    following any link: one that was put there in between is an error, and not followed.

    Args:
        target: As written; relative to `cwd`.
        cwd: Absolute.
        operator: One that names a file.

    Raises:
        NamedPipeError: It is a named pipe.
        OSError: What open(2) says; ELOOP for a link that was put there just now.
    """
    flags = _FLAGS[operator]
    named = os.path.join(cwd, target)
    if named.endswith("/"):
        # Only a directory can be named so, and none can be written.
        return _checked(os.open(named, flags | os.O_CLOEXEC | os.O_NONBLOCK, _MODE))
    folder, _, name = os.path.realpath(named).rpartition("/")
    directory = _open_folder(folder)
    try:
        flags |= os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
        fd = os.open(name or ".", flags, _MODE, dir_fd=directory)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise NamedPipeError(errno.ENXIO, "a named pipe that nobody reads", target) from None
        raise
    finally:
        os.close(directory)
    return _checked(fd)


def _open_folder(folder: str) -> int:
    """Name by name from the root, through no link."""
    fd = os.open("/", _FOLDER)
    for name in folder.split("/"):
        if name:
            try:
                inner = os.open(name, _FOLDER, dir_fd=fd)
            finally:
                os.close(fd)
            fd = inner
    return fd


def _checked(fd: int) -> int:
    if stat.S_ISFIFO(os.fstat(fd).st_mode):
        os.close(fd)
        raise NamedPipeError(errno.ENXIO, "a named pipe")
    os.set_blocking(fd, True)
    return fd
