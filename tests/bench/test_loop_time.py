from __future__ import annotations

import asyncio
import types
from typing import cast

import pytest
import trio

from agent_exec.bench.launch import loop_time
from agent_exec.bench.launch.loop_time import BusyMeter, MeteredSelector, TrioMeter
from agent_exec.bench.launch.measured import LoopTime


class Clock:
    """A time that goes on when it is told to, in the place of the `time` module."""

    def __init__(self) -> None:
        self.wall_us = 0
        self.cpu_us = 0

    def work(self, microseconds: int) -> None:
        self.wall_us += microseconds
        self.cpu_us += microseconds

    def wait(self, microseconds: int) -> None:
        self.wall_us += microseconds

    def perf_counter_ns(self) -> int:
        return self.wall_us * 1000

    def thread_time_ns(self) -> int:
        return self.cpu_us * 1000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    namespace = types.SimpleNamespace(
        perf_counter_ns=made.perf_counter_ns, thread_time_ns=made.thread_time_ns
    )
    monkeypatch.setattr(loop_time, "time", namespace)
    return made


def test_only_the_time_between_waits_is_busy(clock: Clock) -> None:
    meter = BusyMeter()
    clock.work(1000)
    meter.start()
    for busy in (30, 50, 20):
        clock.work(busy)
        meter.wait_begins()
        clock.wait(500)
        meter.wait_ended()
    clock.work(10)
    meter.stop()
    clock.work(1000)
    meter.wait_begins()

    assert meter.per_launch(2) == LoopTime(wall_us=55, cpu_us=55, longest_us=50, turns=2)


def test_what_was_before_the_start_does_not_count(clock: Clock) -> None:
    meter = BusyMeter()
    meter.start()
    clock.work(900)
    meter.stop()
    meter.start()
    clock.work(10)
    meter.stop()

    assert meter.per_launch(1) == LoopTime(wall_us=10, cpu_us=10, longest_us=10, turns=1)


async def _busy_twice(clock: Clock, meter: BusyMeter) -> None:
    loop = asyncio.get_running_loop()
    meter.start()
    clock.work(40)
    turned: asyncio.Future[None] = loop.create_future()
    loop.call_soon(turned.set_result, None)
    await turned
    clock.work(60)
    meter.stop()


def test_an_asyncio_loop_is_watched_through_its_selector(clock: Clock) -> None:
    meter = BusyMeter()

    def new_loop() -> asyncio.AbstractEventLoop:
        return asyncio.SelectorEventLoop(MeteredSelector(meter))

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_busy_twice(clock, meter))
    measured = meter.per_launch(1)

    assert measured.wall_us == 100
    assert measured.longest_us == 60
    assert measured.turns >= 2


def test_a_trio_run_is_watched_through_an_instrument(clock: Clock) -> None:
    meter = BusyMeter()

    async def busy_twice() -> None:
        meter.start()
        clock.work(40)
        await trio.lowlevel.checkpoint()
        clock.work(60)
        meter.stop()

    instrument = cast("trio.abc.Instrument", TrioMeter(meter))  # as far as trio asks
    trio.run(busy_twice, instruments=[instrument])
    measured = meter.per_launch(1)

    assert (measured.wall_us, measured.longest_us, measured.turns) == (100, 60, 2)
