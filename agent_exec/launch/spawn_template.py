"""The RFC's interface in Python: pin an executable, start children from it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Self

from agent_exec.launch.base import Launcher
from agent_exec.launch.select import select_launcher
from agent_exec.model.action import Action
from agent_exec.model.child import Child
from agent_exec.template.holder import Holder
from agent_exec.template.pin import Pinned, may_be_executed, pin_descriptor, pin_path
from agent_exec.template.template import Environment, Template, Word


class SpawnTemplate(Template):
    """An executable opened once, from which many children are started.

    Usable without policy or event loop; thread-safe. A process that was forked from ours
    must make its own: spawning from an inherited one fails with EACCES.
    """

    def __init__(self, pinned: Pinned, credentials: bytes, launcher: Launcher) -> None:
        super().__init__(pinned, credentials)
        self.launcher = launcher

    @classmethod
    def create(  # type: ignore[override] # a launcher stands for the credentials
        cls, source: Word | os.PathLike[str] | int, *, launcher: Launcher | None = None
    ) -> Self:
        """Pin the program at an absolute path, or behind a descriptor.

        Args:
            source: The path, or a descriptor open for reading; that stays the caller's.
            launcher: What starts the children; None for the best that works here.

        Raises:
            TemplateError: See `agent_exec.template.pin`; and what the kernel answers, where
                the launcher has it make a template of its own.
            Unsupported: No launcher works here.
        """
        chosen = select_launcher() if launcher is None else launcher
        credentials = chosen.credentials()
        pinned = pin_descriptor(source) if isinstance(source, int) else pin_path(source)
        template = cls(pinned, credentials, chosen)
        if isinstance(chosen, Holder):
            template.hold_by(chosen)
        return template

    def spawn(
        self,
        argv: Sequence[Word] | None,
        envp: Environment | None = None,
        actions: Sequence[Action] = (),
        *,
        inherit_fds: bool = False,
    ) -> Child:
        """Start a child; blocks the calling thread until it has exec'd.

        The child inherits cwd, signal mask, ignored signals, process group and session, as
        far as no action changes them; its descriptors above 2 are closed. The arguments
        are those of `Template.plan`.

        Raises:
            TemplateError: ESTALE, EACCES (other credentials, another process), EINVAL, E2BIG,
                EBADF.
            LaunchError: The child never became the program; step, errno and action say why.
        """
        plan = self.plan(argv, envp, actions, inherit_fds=inherit_fds)
        if not may_be_executed(plan.executable) and self._is_ours():
            self.check()
        return self.launcher.spawn(plan)

    def _is_ours(self) -> bool:
        return self.executable.credentials == self.launcher.credentials()
