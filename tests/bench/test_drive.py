"""The drivers, with launches that start nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import anyio
import pytest

from agent_exec.bench.launch import drive
from agent_exec.bench.launch.drive import (
    AsyncLaunch,
    Launch,
    drive_async,
    drive_blocking,
    warm_up_launches,
)
from agent_exec.bench.launch.measured import Batch

PATIENCE_S = 5.0


class WrongError(Exception):
    """A launch went wrong."""


@contextmanager
def pool_of(in_flight: int) -> Iterator[ThreadPoolExecutor | None]:
    if in_flight == 1:
        yield None
        return
    with ThreadPoolExecutor(in_flight) as pool:
        yield pool


def drive_async_with(backend: str) -> Callable[[AsyncLaunch, int, int], Batch]:
    return lambda *arguments: anyio.run(drive_async, *arguments, backend=backend)


@pytest.mark.parametrize("in_flight", [1, 4, 16])
def test_threads_make_all_launches_side_by_side(in_flight: int) -> None:
    together = threading.Barrier(in_flight)
    launched: list[int] = []

    def launch() -> None:
        together.wait(PATIENCE_S)
        launched.append(threading.get_ident())

    with pool_of(in_flight) as pool:
        batch = drive_blocking(launch, 4 * in_flight, in_flight, pool)

    assert (batch.launches, batch.in_flight) == (4 * in_flight, in_flight)
    assert len(launched) == warm_up_launches(in_flight) + 4 * in_flight
    assert len(set(launched)) == in_flight


def test_threads_are_there_before_the_clock_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    class Stopwatch(drive.Stopwatch):
        def __init__(self) -> None:
            threads.append(threading.active_count())
            super().__init__()

    monkeypatch.setattr(drive, "Stopwatch", Stopwatch)
    before = threading.active_count()
    with pool_of(16) as pool:
        drive_blocking(lambda: None, 1, 16, pool)
    assert threads == [before + 16]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("in_flight", [1, 4, 16])
def test_tasks_make_all_launches_side_by_side(backend: str, in_flight: int) -> None:
    running = most = launched = 0

    async def launch() -> None:
        nonlocal running, most, launched
        running += 1
        launched += 1
        most = max(most, running)
        await anyio.lowlevel.checkpoint()
        running -= 1

    batch = drive_async_with(backend)(launch, 40, in_flight)

    assert (batch.launches, batch.in_flight) == (40, in_flight)
    assert (launched, most) == (warm_up_launches(in_flight) + 40, in_flight)


@pytest.mark.parametrize("in_flight", [1, 16])
def test_a_wrong_launch_on_a_thread_ends_the_batch(in_flight: int) -> None:
    def failing_at(which: int) -> Launch:
        turns = iter(range(10_000))

        def launch() -> None:
            if next(turns) == which:
                raise WrongError

        return launch

    for which in (0, warm_up_launches(in_flight) + 5):
        with pytest.raises(WrongError), pool_of(in_flight) as pool:
            drive_blocking(failing_at(which), 40, in_flight, pool)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("in_flight", [1, 16])
def test_a_wrong_launch_in_a_task_ends_the_batch(backend: str, in_flight: int) -> None:
    turns = iter(range(10_000))

    async def launch() -> None:
        await anyio.lowlevel.checkpoint()
        if next(turns) == warm_up_launches(in_flight) + 5:
            raise WrongError

    with pytest.raises((WrongError, ExceptionGroup)) as caught:
        drive_async_with(backend)(launch, 40, in_flight)

    error: BaseException = caught.value
    while isinstance(error, ExceptionGroup):
        (error,) = error.exceptions
    assert isinstance(error, WrongError)
