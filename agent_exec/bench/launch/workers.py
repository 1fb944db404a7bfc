"""Our side of the workers: start them, ask them, end them."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from agent_exec.bench.failure import Failure
from agent_exec.bench.launch.ballast import Ballast
from agent_exec.bench.launch.measured import Batch, Belongings, LoopTime
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
from agent_exec.bench.linked import LinkedProcess

START_PATIENCE_S = 60.0
# A batch may take this long, plus a generous time for each launch.
_BATCH_PATIENCE_S = 30.0
_LAUNCH_PATIENCE_S = 0.25

SERVER = "agent_exec.bench.launch.worker"


class Worker:
    """A process that measures `methods` while it carries `ballast`.

    One request at a time. Leaving the block ends it.

    Raises:
        WorkerLostError: It did not come up.
    """

    def __init__(
        self, bench: Workbench, methods: tuple[str, ...], ballast: Ballast = Ballast.NONE
    ) -> None:
        self._process = LinkedProcess(SERVER)
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
        answer: Ready | Answer = self._process.ask(message, patience_s)
        return answer

    def close(self) -> None:
        """End the worker, and what it has started."""
        self._process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
