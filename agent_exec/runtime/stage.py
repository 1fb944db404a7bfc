"""One stage of a running call: signalled as a group, reaped once."""

from __future__ import annotations

import fcntl
import math
import os
import select
import signal
import struct
import sys
import time

from agent_exec.model.child import Child
from agent_exec.model.outcome import StageOutcome

# linux/pidfd.h: struct pidfd_info as of 6.13, _IOWR(0xFF, 11, 64 bytes).
_PIDFD_INFO = struct.Struct("=QQ11Ii")
_PIDFD_GET_INFO = 3 << 30 | _PIDFD_INFO.size << 16 | 0xFF << 8 | 11
_PIDFD_INFO_EXIT = 1 << 3
_PIDFD_SIGNAL_PROCESS_GROUP = 4
# ru_maxrss is in bytes there.
_RSS_UNIT = 1024 if sys.platform == "darwin" else 1
# Between looks at a stage that has no pidfd.
_TICK_S = 0.01


class Stage:
    """A started stage, from exec to reaping. Owns the child's pidfd.

    `leads` says that the child leads a session and group of its own.
    """

    def __init__(self, child: Child, *, leads: bool) -> None:
        self.pid = child.pid
        self.pidfd = child.pidfd
        self.leads = leads
        self.exited = False
        self.reaped = False

    def look(self) -> None:
        """See whether the stage has exited; `exited` then says so."""
        try:
            self.exited = os.waitid(*self._id(), os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:  # reaped by somebody else, or SIGCHLD is ignored
            self.exited = True

    def await_exit(self, deadline: float) -> None:
        """Wait for the exit until `deadline` (`time.monotonic`); `exited` says whether."""
        self.look()
        while not self.exited and time.monotonic() < deadline:
            left = max(0.0, deadline - time.monotonic())
            poller = select.poll()
            if self.pidfd is None:
                left = min(left, _TICK_S)
            else:
                poller.register(self.pidfd, select.POLLIN)
            poller.poll(math.ceil(left * 1000))
            self.look()

    def is_ours_to_reap(self) -> bool:
        """Whether its pid still is its own: nobody else has reaped it."""
        try:
            os.waitid(*self._id(), os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        return True

    def holds_its_group(self) -> bool:
        """Whether the numbers of its group and session still are its own."""
        if not self.leads:
            return False
        if self.is_ours_to_reap():
            return True
        if self.pidfd is None:
            return False
        try:
            # A group keeps its number for as long as it has members.
            signal.pidfd_send_signal(self.pidfd, 0, None, _PIDFD_SIGNAL_PROCESS_GROUP)
        except OSError:
            return False
        return True

    def signal(self, signum: int) -> None:
        """Signal the stage's whole group, or the stage alone when it leads none.

        A process that has become another user's (setuid) is left as it is.
        """
        try:
            self._signal(signum)
        except (ProcessLookupError, PermissionError):
            return

    def reap(self) -> StageOutcome:
        """How the stage ended. It has exited; its pid is no longer ours afterwards.

        Usage is zero where somebody else reaped the stage.
        """
        try:
            # wait4(2) tells the usage, but goes by number: the pidfd, which cannot be
            # another process's, is asked first.
            if not self.is_ours_to_reap():
                raise ChildProcessError
            _, status, usage = os.wait4(self.pid, 0)
        except ChildProcessError:
            return self._from_pidfd()
        finally:
            self.exited = self.reaped = True
        return self._outcome(status)._replace(
            user_s=usage.ru_utime,
            system_s=usage.ru_stime,
            max_rss_kib=usage.ru_maxrss // _RSS_UNIT,
        )

    def reap_when_it_ends(self) -> None:
        """Wait for a stage that outlived SIGKILL, however long it takes, and close."""
        try:
            os.waitid(*self._id(), os.WEXITED)
        except ChildProcessError:
            return
        finally:
            self.close()

    def close(self) -> None:
        """Close the pidfd."""
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None

    def _id(self) -> tuple[int, int]:
        if self.pidfd is None:
            return os.P_PID, self.pid
        return os.P_PIDFD, self.pidfd

    def _signal(self, signum: int) -> None:
        if self.pidfd is None:
            # The number is the stage's for as long as nobody has reaped it.
            if self.is_ours_to_reap():
                os.kill(-self.pid if self.leads else self.pid, signum)
            return
        if not self.leads:
            signal.pidfd_send_signal(self.pidfd, signum)
            return
        try:
            # Through the descriptor it cannot be another group of the same number, even
            # when the leader was reaped by somebody else. Linux 6.9.
            signal.pidfd_send_signal(self.pidfd, signum, None, _PIDFD_SIGNAL_PROCESS_GROUP)
        except (ProcessLookupError, PermissionError):
            raise
        except OSError:  # EINVAL
            if self.is_ours_to_reap():
                os.killpg(self.pid, signum)

    def _from_pidfd(self) -> StageOutcome:
        """What the kernel keeps beside the pidfd after another's wait(2). Linux 6.15."""
        lost = StageOutcome(pid=self.pid, exit_code=None, signal=None)
        if self.pidfd is None:
            return lost
        request = _PIDFD_INFO.pack(_PIDFD_INFO_EXIT, *[0] * 13)
        try:
            mask, *_, status = _PIDFD_INFO.unpack(fcntl.ioctl(self.pidfd, _PIDFD_GET_INFO, request))
        except OSError:  # ENOTTY before 6.13
            return lost
        if not mask & _PIDFD_INFO_EXIT:
            return lost
        return self._outcome(status)

    def _outcome(self, status: int) -> StageOutcome:
        code = os.waitstatus_to_exitcode(status)
        if code < 0:
            return StageOutcome(pid=self.pid, exit_code=None, signal=-code)
        return StageOutcome(pid=self.pid, exit_code=code, signal=None)
