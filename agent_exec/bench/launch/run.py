"""One run of the benchmark, from compiling the floor to the report."""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from agent_exec.bench import machine
from agent_exec.bench.failure import Failure
from agent_exec.bench.launch.ballast import Ballast, why_not
from agent_exec.bench.launch.figures import MemoryFigure
from agent_exec.bench.launch.memory import measure_memory
from agent_exec.bench.launch.methods import FLOOR
from agent_exec.bench.launch.options import LaunchBenchOptions
from agent_exec.bench.launch.programs import Workbench, lasting_program, prepare
from agent_exec.bench.launch.report import LaunchBenchReport
from agent_exec.bench.launch.rounds import (
    BallastSample,
    LoopSample,
    Sample,
    Tell,
    time_launches,
    time_loops,
    time_with_ballast,
)
from agent_exec.bench.launch.targets import LOOP_IN_FLIGHT, PROGRAM
from agent_exec.bench.launch.workers import Worker
from agent_exec.bench.linked import WorkerLostError
from agent_exec.errors import Unsupported

WITH_BALLAST = ("engine-asyncio", "engine-blocking", "tool-asyncio", "subprocess", "asyncio")
"""Methods that are measured in a heavy parent: ours, and two to compare with."""
WITHOUT_GROWTH = ("engine-asyncio", "engine-blocking", "tool-asyncio")
"""Methods that may keep nothing of a finished call."""


def run_launch_benchmark(options: LaunchBenchOptions, *, tell: Tell) -> LaunchBenchReport:
    """Measure what `options` say. `tell` takes progress, a line at a time.

    A launch that fails or gives a wrong result voids its batch and is in the report's
    `failures`; the others go on.

    Raises:
        Unsupported: This is not Linux, there is no C compiler, or nothing may be executed
            in the temporary directory.
    """
    if sys.platform != "linux":
        raise Unsupported("the launch benchmark is for Linux: its floor is made of Linux calls")
    started, began_s = datetime.now(UTC), time.monotonic()
    here, load_before = machine.look(), machine.load_average()
    with tempfile.TemporaryDirectory(prefix="agent-exec-bench-") as folder:
        tell("compiling the floor and the programs")
        run = Run(prepare(Path(folder)), options, tell)
        run.measure()
    return LaunchBenchReport(
        started=started,
        duration_s=time.monotonic() - began_s,
        machine=here,
        load_before=load_before,
        load_after=machine.load_average(),
        options=options,
        samples=tuple(run.samples),
        loop_samples=tuple(run.loop_samples),
        ballast_samples=tuple(run.ballast_samples),
        memory=tuple(run.memory),
        skipped=tuple(run.skipped),
        lost=tuple(run.lost),
    )


class Run:
    """Measures on a prepared `bench`, and keeps what it finds.

    `skipped` and `lost` are lines for the report: what could not be measured here, and
    what broke apart from single samples.
    """

    def __init__(self, bench: Workbench, options: LaunchBenchOptions, tell: Tell) -> None:
        self._bench = bench
        self._options = options
        self._tell = tell
        self._order = random.Random(options.seed)
        self._tiny = next(program for program in bench.programs if program.name == PROGRAM)
        self.samples: list[Sample] = []
        self.loop_samples: list[LoopSample] = []
        self.ballast_samples: list[BallastSample] = []
        self.memory: list[MemoryFigure] = []
        self.skipped: list[str] = []
        self.lost: list[str] = []

    def measure(self) -> None:
        """Everything that the options say, in the order of the report."""
        with self._workers() as workers:
            self._measure_times(workers)
            self._measure_loops(workers)
        if self._options.ballast:
            for ballast in Ballast:
                if ballast is not Ballast.NONE:
                    self._measure_ballast(ballast)
        if self._options.memory_launches:
            for method in self._chosen(WITHOUT_GROWTH):
                self._measure_memory(method)

    @contextmanager
    def _workers(self) -> Iterator[dict[str, Worker]]:
        """One worker for each method that is to be had."""
        with ExitStack() as holds:
            workers: dict[str, Worker] = {}
            for method in dict.fromkeys((FLOOR, *self._options.methods)):
                self._tell(f"starting {method}")
                try:
                    worker = holds.enter_context(Worker(self._bench, (method,)))
                except WorkerLostError as lost:
                    self.lost.append(f"{method}: {lost}")
                    continue
                if method in worker.skipped:
                    self._skip(method, worker.skipped[method])
                else:
                    workers[method] = worker
            yield workers

    def _measure_times(self, workers: dict[str, Worker]) -> None:
        self.samples.extend(
            time_launches(
                workers,
                [p for p in self._bench.programs if p.name in self._options.programs],
                rounds=self._options.rounds,
                launches=self._options.launches,
                order=self._order,
                tell=self._tell,
            )
        )

    def _measure_loops(self, workers: dict[str, Worker]) -> None:
        self.loop_samples.extend(
            time_loops(
                workers,
                self._tiny,
                rounds=max(3, self._options.rounds // 3),
                launches=2 * self._options.launches,
                in_flight=LOOP_IN_FLIGHT,
                order=self._order,
                tell=self._tell,
            )
        )

    def _measure_ballast(self, ballast: Ballast) -> None:
        methods = self._chosen(WITH_BALLAST)
        if not methods:
            return
        reason = why_not(ballast)
        if reason is not None:
            self._skip(ballast.words, reason)
            return
        self._tell(f"starting a {ballast.words}")
        try:
            with (
                Worker(self._bench, methods) as plain,
                Worker(self._bench, methods, ballast) as loaded,
            ):
                self.ballast_samples.extend(
                    time_with_ballast(
                        plain,
                        loaded,
                        ballast,
                        self._tiny,
                        rounds=self._options.rounds,
                        launches=self._options.launches,
                        order=self._order,
                        tell=self._tell,
                    )
                )
        except WorkerLostError as lost:
            self.lost.append(f"{ballast.words}: {lost}")

    def _measure_memory(self, method: str) -> None:
        try:
            with Worker(self._bench, (method,)) as worker:
                if method in worker.skipped:
                    return
                figure = measure_memory(
                    worker,
                    method,
                    self._tiny,
                    lasting=lasting_program(),
                    launches=self._options.memory_launches,
                    in_flight=LOOP_IN_FLIGHT,
                    tell=self._tell,
                )
        except WorkerLostError as lost:
            self.lost.append(f"memory, {method}: {lost}")
            return
        if isinstance(figure, Failure):
            self.lost.append(f"memory, {method}: {figure.reason}")
        else:
            self.memory.append(figure)

    def _chosen(self, methods: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in methods if name in self._options.methods)

    def _skip(self, what: str, reason: str) -> None:
        self.skipped.append(f"{what}: {reason}")
        self._tell(f"skipped {what}: {reason}")
