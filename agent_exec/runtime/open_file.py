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


# Of the process that opens it: bash has its own.
_TERMINAL = "/dev/tty"
_MOST_LINKS = 40  # MAXSYMLINKS


class OnlyByBashError(OSError):
    """Only a real shell can open it, or wait for it; `strerror` says what it is."""


def open_file(target: str, cwd: str, operator: Operator) -> int:
    """Open `target` as a shell would for `operator`; close-on-exec.

    The path is resolved first, as it was when it was judged, and then opened without
    following any link: one that was put there in between is an error, and not followed.

    Args:
        target: As written; relative to `cwd`.
        cwd: Absolute.
        operator: One that names a file.

    Raises:
        OnlyByBashError: It is a named pipe, or another for each process.
        OSError: What open(2) says; ELOOP for a link that was put there just now.
    """
    flags = _FLAGS[operator]
    named = os.path.join(cwd, target)
    folder, _, name = os.path.realpath(named).rpartition("/")
    if _is_folder_or_nothing(named, target):
        # None can be written.
        return _checked(os.open(named, flags | os.O_CLOEXEC | os.O_NONBLOCK, _MODE), target)
    if f"{folder}/{name}" == _TERMINAL or _is_ours(folder):
        raise _another(target)
    directory = _open_folder(folder)
    try:
        flags |= os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
        fd = os.open(name, flags, _MODE, dir_fd=directory)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise OnlyByBashError(errno.ENXIO, "a named pipe that nobody reads", target) from None
        raise
    finally:
        os.close(directory)
    return _checked(fd, target)


def _is_folder_or_nothing(named: str, target: str) -> bool:
    """Can only a directory have this name, by how it ends?

    Raises:
        OSError: As open(2): the name goes through what is not there, or is no directory. The
            kernel says so, since realpath() takes back by dots what never was.
    """
    for _ in range(_MOST_LINKS):
        folder, _, name = named.rpartition("/")
        if name in ("", ".", ".."):
            return True
        os.stat(f"{folder}/")
        try:
            link = os.readlink(named)
        except OSError:
            return False
        if _is_ours(os.path.realpath(folder)):
            raise _another(target)
        named = os.path.join(folder, link)
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), named)


def _is_ours(folder: str) -> bool:
    """Does `folder`, without links, show this process? proc(5)."""
    return f"{folder}/".startswith(f"/proc/{os.getpid()}/")


def _another(target: str) -> OnlyByBashError:
    return OnlyByBashError(errno.ENXIO, "another file for each process", target)


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


def _checked(fd: int, target: str) -> int:
    if stat.S_ISFIFO(os.fstat(fd).st_mode):
        os.close(fd)
        raise OnlyByBashError(errno.ENXIO, "a named pipe", target)
    os.set_blocking(fd, True)
    return fd
