"""Keep writers from the files of templates: a parked child for each.

The kernel refuses (ETXTBSY) whoever would write to a file that a process executes. A parked child
is a process that executes the file, stands still before its first instruction, and never goes
on. It is traced, by the thread that made it; when that thread or our process ends, the kernel
kills it. See ``_native/park.c``.
"""

from __future__ import annotations

import os
import signal
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import TypeAlias

from agent_exec.errors import Closed
from agent_exec.launch import native
from agent_exec.model.plan import Executable

_Parked: TypeAlias = tuple[int, int, int, int]


class Parker:
    """A `Holder` that parks a child for every executable but scripts, which nobody executes.

    Its thread is there from the first child to `close`. Thread-safe; in a forked process it has
    parked none.
    """

    def __init__(self) -> None:
        self._start_afresh()

    def hold(self, executable: Executable) -> None:
        """Park a child on the file. Nothing for a script.

        Raises:
            TemplateError: ETXTBSY when somebody is writing to it already; ENOEXEC and the like
                when it cannot be executed.
            LaunchError: EPERM, ENOSYS and the like when nothing may be traced here, EAGAIN when
                no process is to be had.
            Closed: After `close`.
        """
        if self._pid != os.getpid():
            self.close()  # what we have inherited
            self._start_afresh()
        if executable.script:
            return
        pid, pidfd, step, error = self._park(executable.fd)
        if pid < 0:
            raise native.park_failure(executable, step, error)
        self._pidfds[executable.fd] = pidfd
        if self._closed:
            self.release(executable)
            raise _closed()

    def release(self, executable: Executable) -> None:
        """End the child of the file. Idempotent."""
        pidfd = self._pidfds.pop(executable.fd, None)
        if pidfd is not None:
            self._end(pidfd)

    def close(self) -> None:
        """End every child, and the thread. Idempotent."""
        self._closed = True
        if self._pid == os.getpid():
            self._thread.shutdown()
        while self._pidfds:
            with suppress(KeyError):  # another thread was quicker
                self._end(self._pidfds.popitem()[1])

    def _start_afresh(self) -> None:
        self._pid = os.getpid()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="agent-exec-parker")
        self._pidfds: dict[int, int] = {}
        """Of our children, by the descriptor of the file."""
        self._closed = False

    def _park(self, fd: int) -> _Parked:
        try:
            parked = self._thread.submit(native.park, fd)
        except RuntimeError as error:
            raise _closed() from error
        try:
            return parked.result()
        except BaseException:  # of a signal handler: nobody is told what was made
            parked.add_done_callback(self._end_unknown)
            raise

    def _end_unknown(self, parked: Future[_Parked]) -> None:
        if parked.exception() is None:
            self._end(parked.result()[1])

    def _end(self, pidfd: int) -> None:
        if self._pid == os.getpid():
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            with suppress(ChildProcessError):  # a wait of the host was quicker
                os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
        os.close(pidfd)


def _closed() -> Closed:
    return Closed("nothing is kept from writers any more")
