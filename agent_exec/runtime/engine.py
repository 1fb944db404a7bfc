"""The seam between a call that is bound and a call that has ended."""

from __future__ import annotations

from typing import Protocol

from agent_exec.model.outcome import LauncherName, Outcome
from agent_exec.model.plan import CallPlan


class Engine(Protocol):
    """Starts, feeds, reads, bounds, kills and reaps whole calls.

    Raises `LaunchError` or `TemplateError` when a stage never became its program (the
    stages before it are killed and reaped first) and `Closed` after `close`.
    """

    launcher: LauncherName

    def run_sync(self, plan: CallPlan) -> Outcome:
        """Run `plan` on the calling thread, or wait for it there. Needs no loop."""
        ...

    async def run(self, plan: CallPlan) -> Outcome:
        """Run `plan` without blocking the event loop, under asyncio or trio.

        When cancelled, SIGTERM, `grace_s` and SIGKILL follow at once, and the wait for
        the end is bounded; the engine reaps what is left after that.
        """
        ...

    def containment(self) -> tuple[bool, str]:
        """Whether calls get a cgroup of their own, and the one that holds these, or why not."""
        ...

    def guardian(self) -> tuple[int, int]:
        """Pid of the process that ends what calls leave should we be killed, and 0.

        The pid is 0 before the first call that needs one, and where there can be none; then
        the second number is the errno.
        """
        ...

    def close(self) -> None:
        """Kill and reap every call in flight, stop every thread. Idempotent."""
        ...
