"""Methods of each kind: on threads, on an asyncio loop, in a trio run.

What a kind launches is given as a *maker*: a function that makes, for a program, the
function that launches it once and checks the result.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TypeAlias

from agent_exec.bench.launch.drive import AsyncLaunch, Launch, drive_async, drive_blocking
from agent_exec.bench.launch.loop_time import BusyMeter, MeteredSelector, TrioMeter
from agent_exec.bench.launch.measured import Batch, LoopTime
from agent_exec.bench.launch.methods.base import UnavailableError
from agent_exec.bench.launch.programs import Program

Maker: TypeAlias = Callable[[Program], Launch]
AsyncMaker: TypeAlias = Callable[[Program], AsyncLaunch]


class Blocking:
    """Calls that block: on this thread, or on as many threads as launches in flight.

    The threads stay until another number is asked for, as a pool's do: what is measured
    is launching, and not the making of threads.
    """

    def __init__(self, make: Maker, holds: ExitStack | None = None) -> None:
        self._make = make
        self._holds = ExitStack() if holds is None else holds
        self._pool: ThreadPoolExecutor | None = None
        self._in_flight = 1

    def measure(self, program: Program, launches: int, in_flight: int) -> Batch:
        if in_flight != self._in_flight:
            self._close_pool()
            self._pool = ThreadPoolExecutor(in_flight) if in_flight > 1 else None
            self._in_flight = in_flight
        return drive_blocking(self._make(program), launches, in_flight, self._pool)

    def close(self) -> None:
        self._close_pool()
        self._holds.close()

    def _close_pool(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


class OnForeignLoop:
    """Calls on one loop of asyncio's interface, made by `new_loop`, as long as the method lives.

    What such a loop does between its waits cannot be seen.
    """

    def __init__(
        self,
        make: AsyncMaker,
        new_loop: Callable[[], asyncio.AbstractEventLoop],
        holds: ExitStack | None = None,
    ) -> None:
        self._make = make
        self._holds = ExitStack() if holds is None else holds
        self._runner = asyncio.Runner(loop_factory=new_loop)

    def measure(self, program: Program, launches: int, in_flight: int) -> Batch:
        return self._runner.run(drive_async(self._make(program), launches, in_flight))

    def close(self) -> None:
        self._runner.close()
        self._holds.close()


class OnAsyncio(OnForeignLoop):
    """Calls on one asyncio loop, as long as the method lives."""

    def __init__(self, make: AsyncMaker, holds: ExitStack | None = None) -> None:
        super().__init__(make, asyncio.SelectorEventLoop, holds)

    def loop_time(self, program: Program, launches: int, in_flight: int) -> LoopTime:
        meter = BusyMeter()

        def new_loop() -> asyncio.AbstractEventLoop:
            return asyncio.SelectorEventLoop(MeteredSelector(meter))

        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(drive_async(self._make(program), launches, in_flight, meter))
        return meter.per_launch(launches)


class OnTrio:
    """Calls in a trio run, one run for each batch."""

    def __init__(self, make: AsyncMaker, holds: ExitStack | None = None) -> None:
        try:
            self._trio = importlib.import_module("trio")
        except ImportError as error:
            raise UnavailableError(
                "trio is not installed (pip install agent-exec[bench])"
            ) from error
        self._make = make
        self._holds = ExitStack() if holds is None else holds

    def measure(self, program: Program, launches: int, in_flight: int) -> Batch:
        batch: Batch = self._trio.run(drive_async, self._make(program), launches, in_flight)
        return batch

    def loop_time(self, program: Program, launches: int, in_flight: int) -> LoopTime:
        meter = BusyMeter()
        self._trio.run(
            drive_async,
            self._make(program),
            launches,
            in_flight,
            meter,
            instruments=[TrioMeter(meter)],
        )
        return meter.per_launch(launches)

    def close(self) -> None:
        self._holds.close()
