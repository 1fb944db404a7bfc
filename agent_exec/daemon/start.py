"""Start a daemon, once, however many clients want one."""

from __future__ import annotations

import fcntl
import json
import os
import select
import sys
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from agent_exec.daemon.places import Folder, Places
from agent_exec.errors import DaemonError
from agent_exec.runtime.detached import start_detached
from agent_exec.runtime.environment import is_mark

_LOOK_S = 0.02
_T = TypeVar("_T")


def ensure_daemon(
    places: Places, environ: Mapping[str, str], timeout_s: float, connect: Callable[[], _T]
) -> _T:
    """What `connect` gives, once there is a daemon to connect to.

    Raises:
        DaemonError: None could be started, within `timeout_s`; or `connect` met something else
            than that there is none.
    """
    if any(is_mark(name) for name in environ):
        raise DaemonError("a program of a call starts no daemon", "not_trusted")
    deadline = time.monotonic() + timeout_s
    try:
        return _ensured(places, environ, deadline, connect)
    except OSError as error:
        where = places.runtime if error.filename is None else error.filename
        raise DaemonError(f"no daemon can be started: {where}: {error.strerror}") from None


def _ensured(
    places: Places, environ: Mapping[str, str], deadline: float, connect: Callable[[], _T]
) -> _T:
    with Folder(places.runtime, make=True):
        lock = os.open(places.start_lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _take(lock, deadline)
            # Somebody else may have started it, while we waited for the lock.
            while (found := _try(connect)) is None:
                if time.monotonic() > deadline:
                    raise DaemonError("a daemon was started, and left at once", "not_running")
                _start(places, environ, deadline)
            return found
        finally:
            os.close(lock)


def _try(connect: Callable[[], _T]) -> _T | None:
    try:
        return connect()
    except DaemonError as error:
        if error.code not in ("not_running", "replaced", "draining"):
            raise
        return None


def _take(lock: int, deadline: float) -> None:
    # A lock cannot be waited for with a deadline, and its holder may have been stopped.
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise DaemonError("another client starts a daemon, and does not get on") from None
            time.sleep(_LOOK_S)
        else:
            return


def _start(places: Places, environ: Mapping[str, str], deadline: float) -> None:
    """Start one and wait until it listens.

    Raises:
        DaemonError: It did not come to that; the message is its own.
    """
    # -P: nothing is imported from the directory that we happen to be in.
    argv = [sys.executable, "-P", "-m", "agent_exec.daemon"]
    ready = start_detached(argv, environ, log=places.log)
    try:
        said = _line(ready, deadline)
    finally:
        os.close(ready)
    try:
        message = json.loads(said)
    except ValueError:
        raise DaemonError(f"the daemon did not start; {places.log} may say why") from None
    if "error" in message:
        raise DaemonError(f"the daemon did not start: {message['error']}")


def _line(fd: int, deadline: float) -> bytes:
    said = b""
    waiting = select.poll()
    waiting.register(fd, select.POLLIN)
    while not said.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not waiting.poll(left * 1000):
            raise DaemonError("the daemon does not get ready")
        chunk = os.read(fd, 4096)
        if not chunk:
            break
        said += chunk
    return said
