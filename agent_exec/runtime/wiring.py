"""The pipes of one call: what its stages get as 0, 1 and 2, and our ends of it."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass

from agent_exec.model.plan import CallPlan, Stdio


@dataclass(frozen=True, slots=True)
class Ends:
    """Descriptors that a stage gets as its 0, 1 and 2. All are at least 3."""

    stdin: int
    stdout: int
    stderr: int


class Wiring:
    """Opens the pipes of a call, one stage at a time, and closes them.

    Every descriptor that is handed to a stage is at least 3: wired to 0, 1 and 2 one after
    the other, none overwrites another's source, and none is the no-op that would leave
    close-on-exec set. That holds also where the host runs without standard descriptors.

    `stdin`, `stdout` and `stderr` are our own ends, non-blocking; None where the call has
    no such pipe, or once it is closed.
    """

    def __init__(self, plan: CallPlan) -> None:
        self._plan = plan
        self._open: set[int] = set()
        self._next_stdin: int | None = None
        self._shared_stderr: int | None = None
        self.stdin: int | None = None
        self.stdout: int | None = None
        self.stderr: int | None = None

    def ends_of(self, stage: int) -> Ends:
        """Open what `stage` needs; to be called for each stage, in order.

        Raises:
            OSError: EMFILE, ENFILE; EBADF when the plan names a descriptor below 3 that is
                not open. `close` closes what was opened so far.
            ValueError: The plan names a negative descriptor.
        """
        if stage == 0:
            self._next_stdin = self._open_stdin()
            self._shared_stderr, self.stderr = self._open_output(self._plan.stderr)
        assert self._next_stdin is not None
        assert self._shared_stderr is not None
        stdin, following = self._next_stdin, None
        if stage + 1 == len(self._plan.stages):
            stdout, self.stdout = self._open_output(self._plan.stdout)
        else:
            following, stdout = self._pipe()
        self._next_stdin = following
        return Ends(stdin, stdout, self._shared_stderr)

    def started(self, ends: Ends) -> None:
        """The stage has its copies: close ours, so that ends of file can be seen."""
        self.close_one(ends.stdin)
        self.close_one(ends.stdout)
        if self._next_stdin is None and self._shared_stderr is not None:
            self.close_one(self._shared_stderr)

    def close_one(self, fd: int) -> None:
        """Close `fd` if it is one of ours, and still open."""
        if fd not in self._open:
            return
        # Forgotten first: a fork in between must not close the number's next user.
        self._open.discard(fd)
        os.close(fd)
        if fd == self.stdin:
            self.stdin = None
        if fd == self.stdout:
            self.stdout = None
        if fd == self.stderr:
            self.stderr = None

    def close(self) -> None:
        """Close everything that is still open."""
        for fd in tuple(self._open):
            self.close_one(fd)

    def _open_stdin(self) -> int:
        if isinstance(self._plan.stdin, bytes):
            read_end, write_end = self._pipe()
            os.set_blocking(write_end, False)
            self.stdin = write_end
            return read_end
        if isinstance(self._plan.stdin, Stdio):
            return self._keep(os.open(os.devnull, os.O_RDONLY))
        return self._lend(self._plan.stdin)

    def _open_output(self, target: int | Stdio) -> tuple[int, int | None]:
        if target is Stdio.CAPTURE:
            read_end, write_end = self._pipe()
            os.set_blocking(read_end, False)
            return write_end, read_end
        if isinstance(target, Stdio):
            return self._keep(os.open(os.devnull, os.O_WRONLY)), None
        return self._lend(target), None

    def _lend(self, fd: int) -> int:
        """A number of at least 3 for a descriptor of the plan's."""
        if fd < 0:
            raise ValueError(f"{fd} is not a descriptor")
        if fd > 2:
            return fd
        copy = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
        self._open.add(copy)
        return copy

    def _pipe(self) -> tuple[int, int]:
        read_end, write_end = os.pipe()
        try:
            read_end = self._keep(read_end)
        except OSError:
            os.close(write_end)
            raise
        return read_end, self._keep(write_end)

    def _keep(self, fd: int) -> int:
        """Own `fd`, under a number of at least 3."""
        if fd < 3:
            try:
                copy = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
            finally:
                os.close(fd)
            fd = copy
        self._open.add(fd)
        return fd
