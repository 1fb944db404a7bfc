"""A process that outlives us and is nobody's child."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence


def start_detached(argv: Sequence[str], environ: Mapping[str, str], *, log: str) -> int:
    """Start a program that will call `leave_parent`, in a session of its own.

    Args:
        argv: The program, as an absolute path, and its arguments.
        environ: Its whole environment.
        log: A file for its stderr, emptied before.

    Returns:
        The read end of a pipe that is its stdout. The caller closes it.

    Raises:
        OSError: It cannot be started.
    """
    errors = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        read_end, write_end = os.pipe()
        try:
            pid = os.posix_spawn(
                argv[0],
                list(argv),
                environ,
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, write_end, 1),
                    (os.POSIX_SPAWN_DUP2, errors, 2),
                ],
                setsid=True,
            )
        except BaseException:
            os.close(read_end)
            raise
        finally:
            os.close(write_end)
    finally:
        os.close(errors)
    os.waitpid(pid, 0)
    return read_end


def leave_parent() -> None:
    """Go on as an orphan: who started us has nobody to wait for. Before any thread is started."""
    if os.fork():
        os._exit(0)
