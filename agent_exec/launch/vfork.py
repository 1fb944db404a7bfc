"""The `vfork` launcher: the C core's clone3 child, on the calling thread."""

from __future__ import annotations

from agent_exec.launch import native
from agent_exec.model.child import Child
from agent_exec.model.launcher import LauncherName
from agent_exec.model.plan import SpawnPlan


class VforkLauncher:
    """Starts children with vfork semantics, without the interpreter lock.

    The calling thread stands still until the child has exec'd; the others run on.
    """

    name = LauncherName.VFORK

    def credentials(self) -> bytes:
        """Process, users, groups, capabilities and securebits of the calling thread."""
        return native.credentials()

    def spawn(self, plan: SpawnPlan) -> Child:
        """Start the child of `plan`; see `agent_exec.launch.base.Launcher`."""
        pid, pidfd, step, error, action = native.spawn(plan)
        if pid < 0:
            raise native.launch_failure(plan, step, error, action)
        return Child(pid, pidfd, self.name)
