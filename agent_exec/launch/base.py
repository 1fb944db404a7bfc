"""The one protocol of everything that starts a process."""

from __future__ import annotations

from typing import Protocol

from agent_exec.model.child import Child
from agent_exec.model.launcher import LauncherName
from agent_exec.model.plan import SpawnPlan


class Launcher(Protocol):
    """Turns a `SpawnPlan` into a running `Child`.

    Either `spawn` returns a child that has already passed execve(2), or it raises
    and no process is left behind: `TemplateError` when the executable is stale, was
    made by other credentials or in another process, `LaunchError` for everything else.
    A mount that has become noexec is met by the exec (EACCES), unless the caller asked
    `Template.check` before.
    """

    name: LauncherName

    def credentials(self) -> bytes:
        """Who we are: process, users, groups, capabilities. Opaque; equal means the same."""
        ...

    def spawn(self, plan: SpawnPlan) -> Child:
        """Start the child of `plan`. Blocks the calling thread until it has exec'd."""
        ...
