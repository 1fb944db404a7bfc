"""The background sessions of a tool, made when the first is wanted: most tools never have one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Protocol

from agent_exec.errors import Closed
from agent_exec.launch.base import Launcher
from agent_exec.model.result import ToolResult
from agent_exec.policy.policy import Policy
from agent_exec.runtime.audit.record import CallRecord
from agent_exec.runtime.bind import Settings
from agent_exec.runtime.checker import Checker
from agent_exec.runtime.engine import Engine
from agent_exec.runtime.runner import Runner
from agent_exec.schema.redact import Redactor

if TYPE_CHECKING:
    from agent_exec.runtime.sessions.served import Served


class MakeEngine(Protocol):
    """`select_engine`, to which only one thing has still to be said."""

    def __call__(self, *, max_concurrent: int) -> tuple[Engine, Launcher]:
        """As that."""


class Background:
    """Makes them once, and no more once it is closed. Safe from any thread.

    Args:
        policy: How many sessions there may be, and how long.
        settings: Of the tool.
        checker: Of the tool.
        redact: What is shown goes through it.
        record: Writes what is to be known of a call later.
        make_engine: One for so many at once, with what starts its processes.
    """

    def __init__(
        self,
        policy: Policy,
        settings: Settings,
        checker: Checker,
        redact: Redactor,
        record: Callable[[CallRecord, ToolResult | BaseException], None],
        make_engine: MakeEngine,
    ) -> None:
        self._policy = policy
        self._settings = settings
        self._checker = checker
        self._redact = redact
        self._record = record
        self._make_engine = make_engine
        self._lock = threading.Lock()
        self._served: Served | None = None
        self._closed = False

    @property
    def served(self) -> Served:
        """The sessions.

        Raises:
            Closed: There are to be none any more.
        """
        with self._lock:
            if self._closed:
                raise Closed("the tool is closed")
            if self._served is None:
                self._served = self._make()
            return self._served

    @property
    def running(self) -> int:
        """How many have not ended."""
        return 0 if self._served is None else self._served.sessions.running

    def end_owner(self, owner: str) -> None:
        """End those of `owner`, and forget them. Does not wait."""
        if self._served is not None:
            self._served.sessions.end_owner(owner)

    def close(self) -> None:
        """End them all. Idempotent."""
        with self._lock:
            self._closed = True
        if self._served is not None:
            self._served.sessions.close()

    def _make(self) -> Served:
        # With pydantic, which takes longer to import than all else that a tool needs.
        from agent_exec.runtime.sessions.served import Served  # noqa: PLC0415
        from agent_exec.runtime.sessions.table import Bounds, Sessions  # noqa: PLC0415

        bounds = Bounds(
            most=self._policy.sessions.most,
            idle_s=self._policy.sessions.idle_s,
            output_bytes=self._settings.limits.head_bytes + self._settings.limits.tail_bytes,
        )
        sessions = Sessions(
            bounds,
            self._settings,
            partial(_make_engine, self._make_engine),
            partial(_make_runner, self._checker),
            self._redact,
        )
        return Served(sessions, self._record)


# No methods: sessions hold them, and would keep a tool that was dropped.


def _make_engine(make_engine: MakeEngine, most: int) -> tuple[Engine, Launcher]:
    return make_engine(max_concurrent=most)


def _make_runner(checker: Checker, engine: Engine, settings: Settings) -> Runner:
    return Runner(engine, settings, checker)
