"""Find the processes that a call has left behind, and end them.

A descendant is known by the session or group of a stage, or by the mark in its
environment. One that left both and cleared its environment is not found. Linux only:
elsewhere there is no /proc to look in, and nothing is found.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_PROC = Path("/proc")
# A fork bomb is not outrun; limits stop it.
_MOST_ROUNDS = 16
_DEATH_S = 0.01
# For processes that have no environment: kernel threads never have one, a process in the
# middle of an exec has none for a moment.
_PAUSE_S = 0.001
_MOST_PAUSES = 8
_KERNEL_THREAD = 0x00200000  # PF_KTHREAD
# Numbers go round at kernel.pid_max (32768 at the least); within this age they have not.
_AGE_OF_DOUBT_S = 1.0


def last_pid() -> int | None:
    """The pid handed out last in our pid namespace, None where it is not told.

    Source:
        proc(5), /proc/loadavg.
    """
    try:
        return int((_PROC / "loadavg").read_bytes().split()[-1])
    except OSError:
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunt:
    """What the descendants of one call are known by.

    Hunt after every stage has exited and before any is reaped: the zombies keep their
    pids, sessions and groups from being used again.
    """

    stages: Collection[int]
    """Pids of the stages, which are not looked for."""
    leaders: Collection[int]
    """Those that lead a session and group of their own, and are not reaped yet."""
    mark: bytes
    """``b"NAME=value"`` in the environment; empty for none."""
    since: int | None
    """`last_pid()` before the first stage was started."""
    age_s: float
    """Seconds since then."""
    _pauses: list[None] = field(default_factory=lambda: [None] * _MOST_PAUSES, init=False)
    """That may still be made."""

    def find(self) -> list[int]:
        """The pids of those alive, in no particular order."""
        return [pid for pid in self._candidates() if self._is_descendant(pid)]

    def kill(self) -> list[int]:
        """End them with SIGKILL, and those they fork meanwhile; return their pids."""
        found: dict[int, None] = {}
        for _ in range(_MOST_ROUNDS):
            killed = [pid for pid in self._candidates() if self._kill(pid)]
            if found.keys() >= set(killed):
                break
            found.update(dict.fromkeys(killed))
        return list(found)

    def _candidates(self) -> Iterable[int]:
        if sys.platform != "linux":
            return ()
        wanted = self._numbers_since()
        if wanted is not None and len(wanted) <= len(self.stages):
            return ()  # all of them are the stages'
        pids = (int(name) for name in os.listdir(_PROC) if name.isdigit())
        return [pid for pid in pids if wanted is None or pid in wanted]

    def _numbers_since(self) -> range | None:
        """The pids handed out since the first stage; None where that cannot be told."""
        last = last_pid()
        if self.since is None or last is None or last < self.since:
            return None
        if self.age_s > _AGE_OF_DOUBT_S:
            return None
        return range(self.since + 1, last + 1)

    def _is_descendant(self, pid: int) -> bool:
        if pid in self.stages or pid == os.getpid():
            return False
        try:
            # The name in parentheses may hold anything, parentheses too.
            stat = (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
            state, group, session = stat[0], int(stat[2]), int(stat[3])
            if state in (b"Z", b"X"):
                return False
            if group in self.leaders or session in self.leaders:
                return True
            environment = (_PROC / str(pid) / "environ").read_bytes()
            while not environment and not int(stat[6]) & _KERNEL_THREAD and self._pause():
                environment = (_PROC / str(pid) / "environ").read_bytes()
        except OSError:
            return False  # gone, or somebody else's: then it is not to be signalled either
        return self.mark != b"" and self.mark in environment.split(b"\0")

    def _pause(self) -> bool:
        """Wait a moment; False when this hunt has waited often enough."""
        try:
            self._pauses.pop()
        except IndexError:
            return False
        time.sleep(_PAUSE_S)
        return True

    def _kill(self, pid: int) -> bool:
        if not self._is_descendant(pid):
            return False
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        except OSError:
            return True  # out of descriptors: it is left, and reported
        try:
            # Asked again now that the number cannot be another's: it may have been
            # recycled between the first look and the open.
            if not self._is_descendant(pid):
                return False
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            ended = select.poll()
            ended.register(pidfd, select.POLLIN)
            ended.poll(_DEATH_S * 1000)
            # An orphan is our child only where we are init (in a container) or a subreaper.
            with suppress(ChildProcessError):
                os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True  # it has become another user's: it is left, and reported
        finally:
            os.close(pidfd)
        return True
