"""An asyncio loop's way into the native engine.

`anyio.wait_readable` would register and deregister the descriptor with the selector at
every wake-up and needs a task of its own; a reader that stays costs neither.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from typing import TypeAlias

import anyio

from agent_exec.errors import Step
from agent_exec.launch.native import Engine, RawFailure, failure, refusal
from agent_exec.model.outcome import Outcome
from agent_exec.model.plan import CallPlan

# Beyond the grace: the engine gives up on a process 2 s after SIGKILL.
_END_MARGIN = 3.0  # seconds

_End: TypeAlias = "asyncio.Future[Outcome | RawFailure]"


class AsyncioPort:
    """One loop's port. Made and used on that loop's thread; closed from any."""

    def __init__(self, core: Engine) -> None:
        self._core = core
        self._port = core.port()
        loop = asyncio.get_running_loop()
        self._loop = weakref.ref(loop)  # which refers to us, by the reader
        self._thread = threading.get_ident()
        # A future that was awaited by a cancelled task is cancelled itself. What stands
        # for it here is what still waits for the end of its call.
        self._stand_ins: dict[_End, _End] = {}
        # Cancelled, and the call has ended before its task noticed.
        self._over: weakref.WeakSet[_End] = weakref.WeakSet()
        loop.add_reader(self._port.fileno(), self._take)

    def _take(self) -> None:
        future: _End
        for future, end in self._port.take():
            if future.done():
                self._end_cancelled(future, end)
            else:
                future.set_result(end)

    def _end_cancelled(self, future: _End, end: Outcome | RawFailure) -> None:
        stand_in = self._stand_ins.get(future)
        if stand_in is None:
            self._over.add(future)
        elif not stand_in.done():
            stand_in.set_result(end)

    async def run(self, plan: CallPlan) -> Outcome:
        """Submit `plan` and wait for its end."""
        future: _End = asyncio.get_running_loop().create_future()
        try:
            ticket = self._core.submit(self._port, plan, future)
        except OSError as error:
            raise refusal(plan, Step.SPAWN, error) from None
        try:
            end = await future
        except asyncio.CancelledError:
            self._core.cancel(ticket)
            if future.cancelled():
                await self._end(future, plan.limits.grace_s + _END_MARGIN)
            raise
        if isinstance(end, Outcome):
            return end
        raise failure(plan, end)

    async def _end(self, future: _End, timeout_s: float) -> None:
        if future in self._over:
            return
        stand_in = self._stand_ins[future] = asyncio.get_running_loop().create_future()
        try:
            with anyio.move_on_after(timeout_s, shield=True):
                await stand_in
        finally:
            del self._stand_ins[future]

    def close(self) -> None:
        """Deliver what has ended and stop listening."""
        loop = self._loop()
        if loop is None or loop.is_closed():
            return
        if threading.get_ident() == self._thread:
            self._stop(loop)
        else:
            loop.call_soon_threadsafe(self._stop, loop)

    def _stop(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.remove_reader(self._port.fileno())
        self._take()
