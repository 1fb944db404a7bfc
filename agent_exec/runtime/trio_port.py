"""A trio run's way into the native engine. Imported only when trio is running."""

from __future__ import annotations

import weakref
from contextlib import suppress

import anyio
import trio

from agent_exec.errors import Step
from agent_exec.launch.native import Engine, RawFailure, failure, refusal
from agent_exec.model.outcome import Outcome
from agent_exec.model.plan import CallPlan

_END_MARGIN = 3.0  # seconds; as in asyncio_port


class _Call:
    __slots__ = ("done", "end")

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.end: Outcome | RawFailure | None = None


class TrioPort:
    """One run's port. Made and used in that run; closed from any thread."""

    def __init__(self, core: Engine) -> None:
        self._core = core
        self._port = core.port()
        self._trio = weakref.ref(trio.lowlevel.current_trio_token())
        self._scope = trio.CancelScope()
        trio.lowlevel.spawn_system_task(self._watch, name="agent_exec port")

    async def _watch(self) -> None:
        with self._scope:
            while True:
                await trio.lowlevel.wait_readable(self._port.fileno())
                self._take()

    def _take(self) -> None:
        call: _Call
        for call, end in self._port.take():
            call.end = end
            call.done.set()

    async def run(self, plan: CallPlan) -> Outcome:
        """Submit `plan` and wait for its end."""
        call = _Call()
        try:
            ticket = self._core.submit(self._port, plan, call)
        except OSError as error:
            raise refusal(plan, Step.SPAWN, error) from None
        try:
            await call.done.wait()
        except BaseException:  # trio.Cancelled, without importing trio for its name
            self._core.cancel(ticket)
            with anyio.move_on_after(plan.limits.grace_s + _END_MARGIN, shield=True):
                await call.done.wait()
            raise
        assert call.end is not None
        if isinstance(call.end, Outcome):
            return call.end
        raise failure(plan, call.end)

    def close(self) -> None:
        token = self._trio()
        if token is None:
            return
        with suppress(trio.RunFinishedError):
            token.run_sync_soon(self._stop)

    def _stop(self) -> None:
        self._scope.cancel()
        self._take()
