"""The engine on native threads: spawns, feeds, reads, bounds, kills and reaps in C.

Here is only what needs Python: one port per event loop, and exceptions.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, Protocol

from agent_exec.errors import Closed, Step
from agent_exec.launch import native
from agent_exec.model.outcome import LauncherName, Outcome
from agent_exec.model.plan import CallPlan


class LoopPort(Protocol):
    """One event loop's way into an engine."""

    async def run(self, plan: CallPlan) -> Outcome:
        """Submit `plan` and wait for its end; see `agent_exec.runtime.engine.Engine`."""
        ...

    def close(self) -> None:
        """Deliver what has ended and stop listening. From any thread, after the core."""
        ...


class _Here(threading.local):
    """The port that this thread used last: a look-up by weak reference costs more."""

    loop: Callable[[], object] = staticmethod(lambda: None)
    port: LoopPort | None = None


class NativeEngine:
    """Runs calls on native threads, without the interpreter lock.

    One engine serves any number of event loops and threads. A process that was forked
    from this one gets an engine of its own at its first call.

    Args:
        max_concurrent: Calls that may run at the same time; later ones wait.
        cgroups: Give each call a cgroup of its own, where that is possible. A call for which
            it fails goes without; see `Outcome.contained`.
        processes: Threads that all of a call may have together, where its cgroup can limit that.
        memory_mib: Memory that all of a call may have together, in the same way.

    Raises:
        OSError: The descriptors it needs cannot be had (EMFILE, ENFILE).
    """

    launcher = LauncherName.VFORK

    def __init__(
        self,
        *,
        max_concurrent: int = 16,
        cgroups: bool = False,
        processes: int | None = None,
        memory_mib: int | None = None,
    ) -> None:
        self._max_concurrent = max_concurrent
        self._bounds = (processes or 0, (memory_mib or 0) << 20)
        self._cgroups = cgroups
        self._closed = False
        self._lock = threading.Lock()
        self._open()
        os.register_at_fork(after_in_child=partial(_forget, weakref.ref(self)))

    def _open(self) -> None:
        self._pid = os.getpid()
        self._core = native.Engine(self._max_concurrent, self._cgroups, native.IMAGE, *self._bounds)
        self._here = _Here()
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

    def containment(self) -> tuple[bool, str]:
        """See `agent_exec.runtime.engine.Engine`; makes that cgroup, if no call did so before."""
        return self._current().containment()

    def guardian(self) -> tuple[int, int]:
        """See `agent_exec.runtime.engine.Engine`; none is needed where survivors are kept."""
        return self._current().guardian()

    def run_sync(self, plan: CallPlan) -> Outcome:
        """Run `plan` on the calling thread. Signal handlers run; what they raise ends it."""
        core = self._current()
        try:
            end = core.run(plan)
        except OSError as error:
            raise native.refusal(plan, Step.SPAWN, error) from None
        if isinstance(end, Outcome):
            return end
        raise native.failure(plan, end)

    def run(self, plan: CallPlan) -> Coroutine[Any, Any, Outcome]:
        """Run `plan` on the engine's threads; see `agent_exec.runtime.engine.Engine`."""
        # The port's coroutine itself: another around it would cost a loop a microsecond.
        core = self._current()
        try:
            port = self._port(core)
        except OSError as error:
            raise native.refusal(plan, Step.STDIO, error) from None
        return port.run(plan)

    def _port(self, core: native.Engine) -> LoopPort:
        trio = _in_trio_task()
        loop: object = _trio_run() if trio else _asyncio_loop()
        here = self._here
        if here.port is not None and here.loop() is loop:
            return here.port
        with self._lock:
            port = self._ports.get(loop)
        if port is None:
            port = _new_port(core, trio=trio)
            with self._lock:
                self._ports[loop] = port
        here.loop, here.port = weakref.ref(loop), port
        return port

    def close(self) -> None:
        """Kill and reap every call in flight, stop every thread. Idempotent."""
        with self._lock:
            ports, self._ports = self._ports, weakref.WeakKeyDictionary()
            self._here = _Here()
            self._closed = True
        if self._pid != os.getpid():
            self._finalizer.detach()
            return
        self._finalizer()
        for port in ports.values():
            port.close()


# asyncio and trio are imported by whoever runs them; a blocking caller needs neither, and
# they take longer to import than a launch to make.


def _asyncio_loop() -> object:
    return sys.modules["asyncio"].get_running_loop()


def _in_trio_task() -> bool:
    # Another thread may be importing it just now: then nobody runs it yet.
    lowlevel = getattr(sys.modules.get("trio"), "lowlevel", None)
    in_task = getattr(lowlevel, "in_trio_task", None)
    return in_task is not None and bool(in_task())


def _trio_run() -> object:
    return sys.modules["trio"].lowlevel.current_trio_token()


def _new_port(core: native.Engine, *, trio: bool) -> LoopPort:
    if trio:
        from agent_exec.runtime.trio_port import TrioPort  # noqa: PLC0415

        return TrioPort(core)
    from agent_exec.runtime.asyncio_port import AsyncioPort  # noqa: PLC0415

    return AsyncioPort(core)


def _forget(engine: weakref.ref[NativeEngine]) -> None:
    """In a forked child: hold none of the pipes of the parent's calls, and no lock."""
    inherited = engine()
    if inherited is not None:
        inherited._core.forget()  # noqa: SLF001 - the engine's own hook
        # A thread that is not here may have held it.
        inherited._lock = threading.Lock()  # noqa: SLF001
