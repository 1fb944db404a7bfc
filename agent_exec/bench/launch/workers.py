"""Our side of the workers: start them, ask them, end them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from agent_exec.bench.launch.ballast import Ballast
from agent_exec.bench.launch.measured import Batch, Belongings, Failure, LoopTime
from agent_exec.bench.launch.programs import Program, Workbench
from agent_exec.bench.launch.worker import (
    Answer,
    CountBelongings,
    MeasureBatch,
    MeasureLoop,
    Ready,
    Request,
    Setup,
)

START_PATIENCE_S = 60.0
END_PATIENCE_S = 10.0
# A batch may take this long, plus a generous time for each launch.
_BATCH_PATIENCE_S = 30.0
_LAUNCH_PATIENCE_S = 0.25

_MAIN = """
import json, sys
sys.path[:] = json.loads(sys.argv[2])
from agent_exec.bench.launch.worker import serve
serve(int(sys.argv[1]))
"""


class WorkerLostError(Exception):
    """A worker ended, or did not answer in time and was ended."""


class Worker:
    """A process that measures `methods` while it carries `ballast`.

    One request at a time. Leaving the block ends it; it and what it started are in a
    session of their own, so that a key pressed at the terminal reaches only us.

    Raises:
        WorkerLostError: It did not come up.
    """

    def __init__(
        self, bench: Workbench, methods: tuple[str, ...], ballast: Ballast = Ballast.NONE
    ) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            path = json.dumps([os.path.abspath(entry) for entry in sys.path])
            self._process = subprocess.Popen(
                [sys.executable, "-c", _MAIN, str(theirs.fileno()), path],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        self._link: Connection[Setup | Request, Ready | Answer] = Connection(ours.detach())
        self._lost: str | None = None
        ready = self._ask(Setup(bench, methods, ballast), START_PATIENCE_S)
        assert isinstance(ready, Ready)
        self.skipped: Mapping[str, str] = ready.skipped
        """Methods that are not to be had, and why."""
        self._methods = tuple(name for name in methods if name not in ready.skipped)

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that are to be had."""
        return self._methods

    def measure(
        self, method: str, program: Program, launches: int, in_flight: int
    ) -> Batch | Failure:
        """One batch, or why it is void.

        Raises:
            WorkerLostError: Now or at an earlier request.
        """
        patience_s = _BATCH_PATIENCE_S + launches * _LAUNCH_PATIENCE_S
        answer = self._ask(MeasureBatch(method, program, launches, in_flight), patience_s)
        assert isinstance(answer, Batch | Failure)
        return answer

    def loop_time(
        self, method: str, program: Program, launches: int, in_flight: int
    ) -> LoopTime | Failure | None:
        """What launches cost the loop's thread; None for a method without one. As above."""
        patience_s = _BATCH_PATIENCE_S + launches * _LAUNCH_PATIENCE_S
        answer = self._ask(MeasureLoop(method, program, launches, in_flight), patience_s)
        assert answer is None or isinstance(answer, LoopTime | Failure)
        return answer

    def count_belongings(self) -> Belongings:
        """What the worker holds now. As above."""
        answer = self._ask(CountBelongings(), _BATCH_PATIENCE_S)
        assert isinstance(answer, Belongings)
        return answer

    def _ask(self, message: Setup | Request, patience_s: float) -> Ready | Answer:
        if self._lost is not None:
            raise WorkerLostError(self._lost)
        try:
            self._link.send(message)
            if self._link.poll(patience_s):
                return self._link.recv()
            self._lost = f"the worker did not answer within {patience_s:.0f} s and was ended"
            self.close(patience_s=0)
        except (EOFError, ConnectionError):
            self.close()
            self._lost = f"the worker ended by itself (status {self._process.returncode})"
        raise WorkerLostError(self._lost)

    def close(self, *, patience_s: float = END_PATIENCE_S) -> None:
        """End the worker: it goes when its link is closed, or is killed with its session."""
        self._link.close()
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
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
