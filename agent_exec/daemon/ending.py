"""How a client waits for the end of the daemon."""

from __future__ import annotations

import _socket as sockets
import os
import select
import sys
from contextlib import suppress

TYPE_CHECKING = False  # as in `agent_exec`
if TYPE_CHECKING:
    from typing import Self

_CHUNK = 65536


class Ending:
    """Of a daemon. Left by leaving the block.

    Args:
        connected: To it, and nothing more is read from it.
        pid: Its process, which writes its last files after it has closed its connections; None
            where that is not known, or belongs to another PID namespace. Then, and where there
            are no pidfds (before Linux 5.3), the end of the connection has to do.
    """

    def __init__(self, connected: sockets.socket, pid: int | None) -> None:
        self._connected = connected
        self._pidfd = -1
        if pid is not None and sys.platform == "linux":
            with suppress(OSError):
                self._pidfd = os.pidfd_open(pid)

    def comes_within(self, timeout_s: float) -> bool:
        """Wait for it; whether it came."""
        if self._pidfd >= 0:
            ended = select.poll()
            ended.register(self._pidfd, select.POLLIN)
            return bool(ended.poll(timeout_s * 1000))
        self._connected.settimeout(timeout_s)
        try:
            while self._connected.recv(_CHUNK):
                pass
        except TimeoutError:
            return False
        except OSError:
            return True
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pidfd >= 0:
            os.close(self._pidfd)
