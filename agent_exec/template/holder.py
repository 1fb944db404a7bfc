"""Who has something of its own for an executable, as long as a template of it lives."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from agent_exec.model.plan import Executable


@runtime_checkable
class Holder(Protocol):
    """A launcher with a template of the kernel's, or what keeps writers off."""

    def hold(self, executable: Executable) -> None:
        """Make it now, and not with the first launch.

        Raises:
            TemplateError, LaunchError: It cannot be had.
        """
        ...

    def release(self, executable: Executable) -> None:
        """Let it go. Idempotent."""
        ...
