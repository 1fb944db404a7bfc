"""Launch again and again, a number at a time, and look at the clock.

Each driver makes a few launches that do not count, so that threads, ports and templates
exist, and then `launches` that do.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeAlias

import anyio

from agent_exec.bench.launch.loop_time import BusyMeter
from agent_exec.bench.launch.measured import Batch

Launch: TypeAlias = Callable[[], None]
"""Launches once and checks the result; raises when it is wrong."""
AsyncLaunch: TypeAlias = Callable[[], Awaitable[None]]

Turns: TypeAlias = Iterator[int]


def warm_up_launches(in_flight: int) -> int:
    """Launches before the ones that count: enough to make any template hot."""
    return max(8, 2 * in_flight)


class Stopwatch:
    """The clocks of one batch, from its making on."""

    def __init__(self) -> None:
        gc.collect()
        self.latencies_ns: list[int] = []
        self._cpu_ns = time.process_time_ns()
        self._began_ns = time.perf_counter_ns()

    def batch(self, in_flight: int) -> Batch:
        """What was measured until now."""
        elapsed_ns = time.perf_counter_ns() - self._began_ns
        return Batch.of(
            in_flight,
            elapsed_ns=elapsed_ns,
            cpu_ns=time.process_time_ns() - self._cpu_ns,
            latencies_ns=self.latencies_ns,
        )


def _take_turns(launch: Launch, turns: Turns, latencies_ns: list[int]) -> None:
    for _ in turns:
        began_ns = time.perf_counter_ns()
        launch()
        latencies_ns.append(time.perf_counter_ns() - began_ns)


async def _take_turns_async(launch: AsyncLaunch, turns: Turns, latencies_ns: list[int]) -> None:
    for _ in turns:
        began_ns = time.perf_counter_ns()
        await launch()
        latencies_ns.append(time.perf_counter_ns() - began_ns)


def drive_blocking(
    launch: Launch, launches: int, in_flight: int, pool: ThreadPoolExecutor | None = None
) -> Batch:
    """On the threads of `pool`, `in_flight` of them; on the calling thread without a pool."""
    if pool is None:
        _take_turns(launch, iter(range(warm_up_launches(in_flight))), [])
        watch = Stopwatch()
        _take_turns(launch, iter(range(launches)), watch.latencies_ns)
        return watch.batch(in_flight)

    everybody = threading.Barrier(in_flight)

    def warm_up(turns: Turns) -> None:
        everybody.wait()  # the pool starts a thread only when no other is idle
        _take_turns(launch, turns, [])

    turns = iter(range(warm_up_launches(in_flight)))
    _wait_for(pool.submit(warm_up, turns) for _ in range(in_flight))
    watch = Stopwatch()
    turns = iter(range(launches))
    _wait_for(pool.submit(_take_turns, launch, turns, watch.latencies_ns) for _ in range(in_flight))
    return watch.batch(in_flight)


def _wait_for(workers: Iterable[Future[None]]) -> None:
    started = list(workers)
    wait(started)
    for worker in started:
        worker.result()


async def drive_async(
    launch: AsyncLaunch, launches: int, in_flight: int, meter: BusyMeter | None = None
) -> Batch:
    """In as many tasks of the running event loop; `meter` sees the launches that count."""

    async def everybody(count: int, latencies_ns: list[int]) -> None:
        turns = iter(range(count))
        if in_flight == 1:
            await _take_turns_async(launch, turns, latencies_ns)
            return
        async with anyio.create_task_group() as workers:
            for _ in range(in_flight):
                workers.start_soon(_take_turns_async, launch, turns, latencies_ns)

    await everybody(warm_up_launches(in_flight), [])
    watch = Stopwatch()
    if meter is not None:
        meter.start()
    await everybody(launches, watch.latencies_ns)
    if meter is not None:
        meter.stop()
    return watch.batch(in_flight)
