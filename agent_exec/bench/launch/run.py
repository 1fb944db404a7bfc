"""One run of the benchmark, from compiling the floor to the report."""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from agent_exec.bench.launch import machine
from agent_exec.bench.launch.ballast import Ballast, why_not
from agent_exec.bench.launch.figures import MemoryFigure
from agent_exec.bench.launch.measured import Failure
from agent_exec.bench.launch.memory import measure_memory
from agent_exec.bench.launch.methods import FLOOR
from agent_exec.bench.launch.options import LaunchBenchOptions
from agent_exec.bench.launch.programs import Program, Workbench, prepare
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
from agent_exec.bench.launch.workers import Worker, WorkerLost

WITH_BALLAST = ("engine-asyncio", "engine-blocking", "tool-asyncio", "subprocess", "asyncio")
"""Methods that are measured in a heavy parent: ours, and two to compare with."""
WITHOUT_GROWTH = ("engine-asyncio", "engine-blocking", "tool-asyncio")
"""Methods that may keep nothing of a finished call."""


@dataclass(slots=True)
class _Found:
    samples: list[Sample] = field(default_factory=list)
    loop_samples: list[LoopSample] = field(default_factory=list)
    ballast_samples: list[BallastSample] = field(default_factory=list)
    memory: list[MemoryFigure] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def run_launch_benchmark(options: LaunchBenchOptions, *, tell: Tell) -> LaunchBenchReport:
    """Measure what `options` say. `tell` takes progress, a line at a time.

    A launch that fails or gives a wrong result voids its batch and is in the report's
    `failures`; the others go on.

    Raises:
        Unsupported: There is no C compiler, or nothing may be executed in the temporary
            directory.
    """
    started, began_s = datetime.now(UTC), time.monotonic()
    here, load_before = machine.look(), machine.load_average()
    found = _Found()
    with tempfile.TemporaryDirectory(prefix="agent-exec-bench-") as folder:
        tell("compiling the floor and the programs")
        bench = prepare(Path(folder))
        _measure(bench, options, found, tell)
    return LaunchBenchReport(
        started=started,
        duration_s=time.monotonic() - began_s,
        machine=here,
        load_before=load_before,
        load_after=machine.load_average(),
        options=options,
        samples=tuple(found.samples),
        loop_samples=tuple(found.loop_samples),
        ballast_samples=tuple(found.ballast_samples),
        memory=tuple(found.memory),
        skipped=tuple(found.skipped),
        lost=tuple(found.lost),
    )


def _measure(bench: Workbench, options: LaunchBenchOptions, found: _Found, tell: Tell) -> None:
    order = random.Random(options.seed)
    tiny = next(program for program in bench.programs if program.name == PROGRAM)
    chosen = [program for program in bench.programs if program.name in options.programs]
    with _workers(bench, (FLOOR, *options.methods), found, tell) as workers:
        for sample in time_launches(
            workers,
            chosen,
            rounds=options.rounds,
            launches=options.launches,
            order=order,
            tell=tell,
        ):
            found.samples.append(sample)
        found.loop_samples.extend(
            time_loops(
                workers,
                tiny,
                rounds=max(3, options.rounds // 3),
                launches=2 * options.launches,
                in_flight=LOOP_IN_FLIGHT,
                order=order,
                tell=tell,
            )
        )
    if options.ballast:
        for ballast in Ballast:
            if ballast is not Ballast.NONE:
                _measure_ballast(ballast, bench, tiny, options, order, found, tell)
    if options.memory_launches:
        _measure_memory(bench, tiny, options, found, tell)


@contextmanager
def _workers(
    bench: Workbench, methods: tuple[str, ...], found: _Found, tell: Tell
) -> Iterator[dict[str, Worker]]:
    """One worker for each method that is to be had."""
    with ExitStack() as holds:
        workers: dict[str, Worker] = {}
        for method in dict.fromkeys(methods):
            tell(f"starting {method}")
            try:
                worker = holds.enter_context(Worker(bench, (method,)))
            except WorkerLost as reason:
                found.lost.append(f"{method}: {reason}")
                continue
            for name, reason in worker.skipped.items():
                found.skipped.append(f"{name}: {reason}")
                tell(f"skipped {name}: {reason}")
            if worker.methods:
                workers[method] = worker
        yield workers


def _measure_ballast(
    ballast: Ballast,
    bench: Workbench,
    program: Program,
    options: LaunchBenchOptions,
    order: random.Random,
    found: _Found,
    tell: Tell,
) -> None:
    methods = tuple(name for name in WITH_BALLAST if name in options.methods)
    if not methods:
        return
    reason = why_not(ballast)
    if reason is not None:
        found.skipped.append(f"{ballast.words}: {reason}")
        tell(f"skipped {ballast.words}: {reason}")
        return
    tell(f"starting a {ballast.words}")
    try:
        with Worker(bench, methods) as plain, Worker(bench, methods, ballast) as loaded:
            found.ballast_samples.extend(
                time_with_ballast(
                    plain,
                    loaded,
                    ballast,
                    program,
                    rounds=options.rounds,
                    launches=options.launches,
                    order=order,
                    tell=tell,
                )
            )
    except WorkerLost as lost:
        found.lost.append(f"{ballast.words}: {lost}")


def _measure_memory(
    bench: Workbench, program: Program, options: LaunchBenchOptions, found: _Found, tell: Tell
) -> None:
    for method in WITHOUT_GROWTH:
        if method not in options.methods:
            continue
        try:
            with Worker(bench, (method,)) as worker:
                if method not in worker.methods:
                    continue
                figure = measure_memory(
                    worker,
                    method,
                    program,
                    launches=options.memory_launches,
                    in_flight=LOOP_IN_FLIGHT,
                    tell=tell,
                )
        except WorkerLost as lost:
            found.lost.append(f"memory, {method}: {lost}")
            continue
        if isinstance(figure, Failure):
            found.lost.append(f"memory, {method}: {figure.reason}")
        else:
            found.memory.append(figure)
