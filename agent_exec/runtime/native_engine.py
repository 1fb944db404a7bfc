"""The engine on native threads: spawns, feeds, reads, bounds, kills and reaps in C.

Here is only what needs Python: one port per event loop, and exceptions.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sys
import threading
import weakref
from typing import Protocol

from agent_exec.errors import Closed
from agent_exec.launch import native
from agent_exec.model.outcome import LauncherName, Outcome
from agent_exec.model.plan import CallPlan
from agent_exec.runtime.asyncio_port import AsyncioPort
from agent_exec.runtime.trio_port import TrioPort, in_trio_task, trio_run


class LoopPort(Protocol):
    """One event loop's way into an engine."""

    async def run(self, plan: CallPlan) -> Outcome | native.RawFailure:
        """Submit `plan` and wait for its end."""
        ...

    def close(self) -> None:
        """Deliver what has ended and stop listening. From any thread, after the core."""
        ...


class NativeEngine:
    """Runs calls on native threads, without the interpreter lock.

    One engine serves any number of event loops and threads. A process that was forked
    from this one gets an engine of its own at its first call.

    Args:
        max_concurrent: Calls that may run at the same time; later ones wait.

    Raises:
        OSError: The descriptors it needs cannot be had (EMFILE, ENFILE).
    """

    launcher = LauncherName.VFORK

    def __init__(self, *, max_concurrent: int = 16) -> None:
        self._max_concurrent = max_concurrent
        self._closed = False
        self._lock = threading.Lock()
        self._open()

    def _open(self) -> None:
        self._pid = os.getpid()
        self._core = native.Engine(self._max_concurrent)
        self._ports: weakref.WeakKeyDictionary[object, LoopPort] = weakref.WeakKeyDictionary()
        # Also runs at interpreter exit, so that no child outlives us unnoticed.
        self._finalizer = weakref.finalize(self, self._core.close)

    def _current(self) -> native.Engine:
        if self._pid != os.getpid():
            with self._lock:
                if self._pid != os.getpid():
                    self._finalizer.detach()
                    self._open()
        if self._closed:
            raise Closed("the engine is closed")
        return self._core

    def run_sync(self, plan: CallPlan) -> Outcome:
        """Run `plan` on the calling thread. Signal handlers run; what they raise ends it."""
        core = self._current()
        try:
            end = core.run(plan)
        except OSError as error:
            raise _as_closed(error) from None
        if isinstance(end, Outcome):
            return end
        raise native.failure(plan, end)

    async def run(self, plan: CallPlan) -> Outcome:
        """Run `plan` on the engine's threads; see `agent_exec.runtime.engine.Engine`."""
        core = self._current()
        port = self._port(core)
        try:
            end = await port.run(plan)
        except OSError as error:
            raise _as_closed(error) from None
        if isinstance(end, Outcome):
            return end
        raise native.failure(plan, end)

    def _port(self, core: native.Engine) -> LoopPort:
        trio = "trio" in sys.modules and in_trio_task()
        loop: object = trio_run() if trio else asyncio.get_running_loop()
        port = self._ports.get(loop)
        if port is None:
            port = TrioPort(core) if trio else AsyncioPort(core)
            with self._lock:
                self._ports[loop] = port
        return port

    def close(self) -> None:
        """Kill and reap every call in flight, stop every thread. Idempotent."""
        with self._lock:
            ports, self._ports = self._ports, weakref.WeakKeyDictionary()
            self._closed = True
        if self._pid != os.getpid():
            self._finalizer.detach()
            return
        self._finalizer()
        for port in ports.values():
            port.close()


def _as_closed(error: OSError) -> Exception:
    return Closed("the engine is closed") if error.errno == errno.ECANCELED else error
