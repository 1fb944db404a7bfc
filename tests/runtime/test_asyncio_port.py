"""The asyncio port against a core that ends calls at chosen moments."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any, cast

import anyio
import pytest
from realproc import Plans, make_launcher

from agent_exec.errors import Closed
from agent_exec.launch.native import Engine
from agent_exec.model.plan import CallPlan
from agent_exec.runtime.asyncio_port import AsyncioPort

CLOSED = (3, 0, 0, -1, 0)


class FakeCore:
    """Engine and port in one: what `end` is told comes out of `take`."""

    def __init__(self) -> None:
        self.readable, self._write = os.pipe()
        self.submitted: list[object] = []
        self.cancelled: list[int] = []
        self._ended: list[tuple[object, Any]] = []

    def port(self) -> FakeCore:
        return self

    def fileno(self) -> int:
        return self.readable

    def submit(self, _port: FakeCore, _plan: CallPlan, token: object) -> int:
        self.submitted.append(token)
        return len(self.submitted)

    def cancel(self, ticket: int) -> None:
        self.cancelled.append(ticket)

    def end(self, token: object) -> None:
        self._ended.append((token, CLOSED))

    def take(self) -> list[tuple[object, Any]]:
        ended, self._ended = self._ended, []
        return ended

    def close(self) -> None:
        os.close(self.readable)
        os.close(self._write)


@pytest.fixture
def core() -> Iterator[FakeCore]:
    made = FakeCore()
    yield made
    made.close()


@pytest.fixture
def plan() -> Iterator[CallPlan]:
    with Plans(make_launcher("vfork")) as plans:
        yield plans.call(plans.sh("true"), grace_s=1000.0)


@pytest.mark.parametrize("moment", ["before-its-task-knows", "after-its-task-knows"])
def test_a_cancelled_call_that_ends_is_not_waited_for(
    core: FakeCore, plan: CallPlan, moment: str
) -> None:
    async def main() -> None:
        port = AsyncioPort(cast("Engine", core))
        task = asyncio.ensure_future(port.run(plan))
        await asyncio.sleep(0)
        task.cancel()
        if moment == "after-its-task-knows":
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert core.cancelled == [1]
        core.end(core.submitted[0])
        port._take()
        with anyio.fail_after(5), pytest.raises(asyncio.CancelledError):
            await task
        assert core.cancelled == [1]
        port.close()

    asyncio.run(main())


def test_an_end_in_time_is_the_result(core: FakeCore, plan: CallPlan) -> None:
    async def main() -> None:
        port = AsyncioPort(cast("Engine", core))
        task = asyncio.ensure_future(port.run(plan))
        await asyncio.sleep(0)
        core.end(core.submitted[0])
        port._take()
        with pytest.raises(Closed):
            await task
        port.close()

    asyncio.run(main())
