"""How many threads an engine has."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import anyio
import pytest
from realproc import PATIENCE_S, Plans, make_engine, make_launcher, wait_until

from agent_exec.model.action import Action, OpenHow
from agent_exec.model.outcome import Ended

MOST_AT_REST = 4


def n_threads() -> int:
    tasks, names = Path("/proc/self/task"), []
    for task in os.listdir(tasks):
        with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
            names.append((tasks / task / "comm").read_text())
    return names.count("agent_exec\n")


@pytest.mark.anyio
async def test_threads_that_hung_launches_made_necessary_go_again(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    ends = []
    engine = make_engine("native")

    async def run_one() -> None:
        ends.append((await engine.run(hung)).ended)

    with Plans(make_launcher("native")) as plans, anyio.fail_after(PATIENCE_S):
        action = Action.open(0, OpenHow(os.fsencode(fifo)))
        hung = plans.call(plans.stage("/bin/cat", actions=(action,)))
        async with anyio.create_task_group() as calls:
            for _ in range(10):
                calls.start_soon(run_one)
            quick = plans.call(plans.stage("/bin/true"))
            while n_threads() <= 10:
                assert (await engine.run(quick)).ended is Ended.EXIT
            os.close(os.open(fifo, os.O_WRONLY))
        assert ends == [Ended.EXIT] * 10
        while n_threads() > MOST_AT_REST:
            assert (await engine.run(quick)).ended is Ended.EXIT
    engine.close()
    wait_until(lambda: n_threads() == 0)


@pytest.mark.anyio
async def test_no_thread_goes_while_a_child_that_it_started_lives(tmp_path: Path) -> None:
    # A child gets SIGKILL when the thread ends that started it (PR_SET_PDEATHSIG).
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    ends = []
    engine = make_engine("native")

    async def run_one() -> None:
        ends.append((await engine.run(hung)).ended)

    with Plans(make_launcher("native")) as plans, anyio.fail_after(PATIENCE_S):
        action = Action.open(0, OpenHow(os.fsencode(fifo)))
        hung = plans.call(plans.stage("/bin/cat", actions=(action,), die_with_parent=True))
        async with anyio.create_task_group() as calls:
            for _ in range(10):
                calls.start_soon(run_one)
            quick = plans.call(plans.stage("/bin/true"))
            while n_threads() <= 10:
                assert (await engine.run(quick)).ended is Ended.EXIT
            # They have their input now, and live until it ends.
            writer = os.open(fifo, os.O_WRONLY)
            for _ in range(200):
                assert (await engine.run(quick)).ended is Ended.EXIT
            os.close(writer)
        assert ends == [Ended.EXIT] * 10
    engine.close()
    wait_until(lambda: n_threads() == 0)
