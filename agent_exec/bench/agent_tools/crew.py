"""The workers of one back end: started when they are needed, asked all at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from agent_exec.bench.agent_tools.corpus import Corpus
from agent_exec.bench.agent_tools.measured import Batch, Share
from agent_exec.bench.agent_tools.tasks import Expected
from agent_exec.bench.agent_tools.worker import Ready, RunTasks, Setup
from agent_exec.bench.failure import Failure
from agent_exec.bench.linked import LinkedProcess, WorkerLostError

SERVER = "agent_exec.bench.agent_tools.worker"
START_PATIENCE_S = 120.0
# A share may take this long, plus a generous time for each call.
_SHARE_PATIENCE_S = 30.0
_CALL_PATIENCE_S = 1.0


class Crew:
    """Processes with agents, all with the same back end. Leaving the block ends them.

    When one of them is lost, all are ended; the next round starts new ones.
    """

    def __init__(self, back_end: str, corpus: Corpus, expected: Sequence[Expected]) -> None:
        self._setup = Setup(back_end, corpus, tuple(expected))
        self._workers: list[LinkedProcess] = []
        self.cold: list[str] = []
        """What went wrong while workers warmed up: a round that follows may have been slower."""

    @property
    def pids(self) -> list[int]:
        """Of the workers that were started."""
        return [worker.pid for worker in self._workers]

    def start(self, count: int) -> str | None:
        """See that there are `count` workers; why the back end is not to be had here, or None.

        Raises:
            WorkerLostError: One of them did not come up; none is left.
        """
        env = dict(self._setup.corpus.env)
        new = [LinkedProcess(SERVER, env) for _ in range(count - len(self._workers))]
        self._workers += new
        try:
            for worker in new:
                worker.send(self._setup)
            for worker in new:
                ready: Ready = worker.receive(START_PATIENCE_S)
                if ready.reason is not None:
                    self.close()
                    return ready.reason
                if ready.cold is not None:
                    self.cold.append(f"while it warmed up: {ready.cold}")
        except WorkerLostError:
            self.close()
            raise
        return None

    def measure(self, tasks: Sequence[int], processes: int, in_flight: int) -> Batch | Failure:
        """Have `tasks` dealt out to so many workers, each with `in_flight` calls at a time.

        A call that went wrong, or a worker that was lost, voids all of it.
        """
        try:
            reason = self.start(processes)
            if reason is not None:
                return Failure(reason)
            return self._measure(tasks, processes, in_flight)
        except WorkerLostError as lost:
            self.close()
            return Failure(str(lost))

    def _measure(self, tasks: Sequence[int], processes: int, in_flight: int) -> Batch | Failure:
        workers = self._workers[:processes]
        hands = [tuple(tasks[place::processes]) for place in range(processes)]
        patience_s = _SHARE_PATIENCE_S + len(tasks) * _CALL_PATIENCE_S
        began_ns = time.perf_counter_ns()
        for worker, hand in zip(workers, hands, strict=True):
            worker.send(RunTasks(hand, in_flight))
        answers: list[Share | Failure] = [worker.receive(patience_s) for worker in workers]
        wall_ns = time.perf_counter_ns() - began_ns
        failures = [answer for answer in answers if isinstance(answer, Failure)]
        if failures:
            return failures[0]
        return Batch.of([answer for answer in answers if isinstance(answer, Share)], wall_ns)

    def close(self) -> None:
        """End the workers, and what they have started."""
        for worker in self._workers:
            worker.close()
        self._workers = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
