"""Processes of a benchmark that answer over a link: start them, ask them, end them."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Self

END_PATIENCE_S = 10.0

_MAIN = """
import json, sys
from importlib import import_module
sys.path[:] = json.loads(sys.argv[3])
import_module(sys.argv[1]).serve(int(sys.argv[2]))
"""


class WorkerLostError(Exception):
    """A worker ended, or did not answer in time and was ended."""


class LinkedProcess:
    """A process that runs ``serve(fd)`` of `module`, whose descriptor is the other end of our link.

    One request at a time. Leaving the block ends it; it and what it started are in a
    session of their own, so that a key pressed at the terminal reaches only us.

    Args:
        module: Its `serve` answers what is asked, and returns when the link is closed.
        env: Of the process; ours when not given.
    """

    def __init__(self, module: str, env: Mapping[str, str] | None = None) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            path = json.dumps([os.path.abspath(entry) for entry in sys.path])
            self._process = subprocess.Popen(
                [sys.executable, "-c", _MAIN, module, str(theirs.fileno()), path],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                env=env,
            )
        self._link: Connection[Any, Any] = Connection(ours.detach())
        self._lost: str | None = None

    @property
    def pid(self) -> int:
        """Of the process, and of the session that it leads."""
        return self._process.pid

    def ask(self, message: object, patience_s: float) -> Any:  # noqa: ANN401 - as `serve` answers
        """Send `message` and wait at most `patience_s` seconds for the answer.

        Raises:
            WorkerLostError: Now or at an earlier request.
        """
        self.send(message)
        return self.receive(patience_s)

    def send(self, message: object) -> None:
        """The first half of `ask`."""
        if self._lost is None:
            try:
                self._link.send(message)
            except ConnectionError:
                self._end_lost()
        if self._lost is not None:
            raise WorkerLostError(self._lost)

    def receive(self, patience_s: float) -> Any:  # noqa: ANN401 - as `serve` answers
        """The second half of `ask`."""
        if self._lost is not None:
            raise WorkerLostError(self._lost)
        try:
            if self._link.poll(patience_s):
                return self._link.recv()
            self._lost = f"the worker did not answer within {patience_s:.0f} s and was ended"
            self.close(patience_s=0)
        except (EOFError, ConnectionError):
            self._end_lost()
        raise WorkerLostError(self._lost)

    def _end_lost(self) -> None:
        self.close()
        self._lost = f"the worker ended by itself (status {self._process.returncode})"

    def close(self, *, patience_s: float = END_PATIENCE_S) -> None:
        """End the process: it goes when its link is closed, or is killed. Idempotent.

        What is left of its process group is killed, too.
        """
        self._link.close()
        if self._process.returncode is not None:
            return
        pidfd = os.pidfd_open(self._process.pid)
        try:
            ended = select.poll()
            ended.register(pidfd, select.POLLIN)
            ended.poll(patience_s * 1000)
        finally:
            os.close(pidfd)
        # Before it is reaped: until then nobody else can have its group's number.
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
