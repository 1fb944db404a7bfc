"""What the pipelines of a text leave running: it lives until the text has ended."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress


class LeftOver:
    """Descendants of pipelines that are over; the next ones may need them.

    Args:
        mark: That of the call, in their environment.
    """

    def __init__(self, mark: bytes) -> None:
        self._mark = mark
        self._pidfds: dict[int, int] = {}
        self._noted = False

    def note(self, pids: Iterable[int]) -> None:
        """They were alive just now."""
        for pid in pids:
            self._noted = True
            if sys.platform == "linux" and pid not in self._pidfds:
                with suppress(OSError):  # gone; or no descriptor is left, and the mark has to do
                    self._pidfds[pid] = os.pidfd_open(pid)

    def end(self) -> list[int]:
        """Kill them, and whatever else has the mark; the pids. Idempotent."""
        if not self._noted:
            return []
        self._noted = False
        from agent_exec.runtime.descendants import Hunt  # noqa: PLC0415 - there is seldom any

        killed = []
        for pid, pidfd in self._pidfds.items():
            try:
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass  # gone, or another user's by now
            else:
                killed.append(pid)
            finally:
                os.close(pidfd)
        self._pidfds.clear()
        hunt = Hunt(stages=(), leaders=(), mark=self._mark, since=None, age_s=0.0)
        return sorted({*killed, *hunt.kill()})
