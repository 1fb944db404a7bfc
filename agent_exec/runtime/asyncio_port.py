"""An asyncio loop's way into the native engine.

`anyio.wait_readable` would register and deregister the descriptor with the selector at
every wake-up and needs a task of its own; a reader that stays costs neither.
"""

from __future__ import annotations

import asyncio
import threading

import anyio

from agent_exec.launch.native import Engine, RawFailure
from agent_exec.model.outcome import Outcome
from agent_exec.model.plan import CallPlan

# Beyond the grace: the engine gives up on a process 2 s after SIGKILL.
_END_MARGIN = 3.0  # seconds


class _Call:
    __slots__ = ("end", "waiter")

    def __init__(self, waiter: asyncio.Future[None]) -> None:
        self.waiter = waiter
        self.end: Outcome | RawFailure | None = None


class AsyncioPort:
    """One loop's port. Made and used on that loop's thread; closed from any."""

    def __init__(self, core: Engine) -> None:
        self._core = core
        self._port = core.port()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._loop.add_reader(self._port.fileno(), self._take)

    def _take(self) -> None:
        for call, end in self._port.take():
            assert isinstance(call, _Call)
            call.end = end
            if not call.waiter.done():
                call.waiter.set_result(None)

    async def run(self, plan: CallPlan) -> Outcome | RawFailure:
        call = _Call(self._loop.create_future())
        ticket = self._core.submit(self._port, plan, call)
        try:
            await call.waiter
        except asyncio.CancelledError:
            self._core.cancel(ticket)
            await self._end(call, plan.limits.grace_s + _END_MARGIN)
            raise
        assert call.end is not None
        return call.end

    async def _end(self, call: _Call, timeout_s: float) -> None:
        # The future that was awaited is cancelled itself; the call needs another.
        call.waiter = self._loop.create_future()
        if call.end is None:
            with anyio.move_on_after(timeout_s, shield=True):
                await call.waiter

    def close(self) -> None:
        if self._loop.is_closed():
            return
        if threading.get_ident() == self._thread:
            self._stop()
        else:
            self._loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        self._loop.remove_reader(self._port.fileno())
        self._take()
