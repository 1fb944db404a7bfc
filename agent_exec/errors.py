"""Every exception agent_exec raises on purpose.

    AgentExecError
    ├── InvalidCall          the call cannot be understood; the message says what to send instead
    ├── PolicyError          the policy is wrong or not to be had; nothing ran
    ├── ProgramNotFound      no program of that name where programs are looked up
    ├── CallRejected         the call is understood and will not run
    │   ├── Denied           a rule said no
    │   └── ApprovalRefused  a person said no
    ├── TemplateError        the executable cannot be pinned, or is no longer the one that was
    ├── LaunchError          allowed, but the child never became the program
    ├── Unsupported          this machine or launcher cannot do what was asked
    ├── DaemonError          the daemon is not to be had, or does not do what was asked of it
    └── Closed               the tool or engine was closed before or during the call

A program that started and then failed is not here. A child that ran is data
(`Outcome`); only a child that did not run is an exception.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import StrEnum
from functools import partial


class Step(StrEnum):
    """Where a launch failed, in the order of a launch."""

    SPAWN = "spawn"
    CWD = "cwd"
    STDIO = "stdio"
    SANDBOX = "sandbox"
    EXEC = "exec"


class AgentExecError(Exception):
    """Base class: catching it catches everything this package raises on purpose."""


class InvalidCall(AgentExecError):
    """The call cannot be understood; the message says what to send instead.

    Also for a setting of `ExecTool` that makes no sense.
    """


class PolicyError(AgentExecError):
    """The policy is wrong or not to be had; nothing ran."""


class ProgramNotFound(AgentExecError):
    """No program of that name where programs are looked up.

    Attributes:
        name: The program as the call named it.
        searched: The directories that were searched; empty when `name` is a path.
        inside: Programs of that name in directories of PATH that lie in the worktree, where
            names are not looked up.
    """

    def __init__(
        self, name: str, searched: tuple[str, ...] = (), inside: tuple[str, ...] = ()
    ) -> None:
        where = ""
        if searched:
            where = f" in {':'.join(searched)}"
        elif "/" not in name:
            where = ": PATH has no directory that is searched"
        hint = f"; one in the worktree is run by its path: {inside[0]}" if inside else ""
        super().__init__(f"{name}: no such program{where}{hint}")
        self.name = name
        self.searched = searched
        self.inside = inside

    def __reduce__(
        self,
    ) -> tuple[type[ProgramNotFound], tuple[str, tuple[str, ...], tuple[str, ...]]]:
        return type(self), (self.name, self.searched, self.inside)


class CallRejected(AgentExecError):
    """The call is understood and will not run."""


class Denied(CallRejected):
    """A rule said no, or nobody was there to say yes.

    Attributes:
        decision: The `Decision`, with the reasons.
    """

    def __init__(self, message: str, decision: object = None) -> None:
        super().__init__(message)
        self.decision = decision

    def __reduce__(self) -> tuple[type[Denied], tuple[str, object]]:
        return type(self), (str(self), self.decision)


class ApprovalRefused(CallRejected):
    """A person said no."""


class TemplateError(AgentExecError):
    """The executable cannot be pinned, or is no longer the one that was.

    Attributes:
        path: The executable, or what stands for it (a descriptor).
        errno: One of the RFC's: ESTALE, EACCES, ENOEXEC, ETXTBSY, EINVAL, E2BIG,
            EBADF, or that of the file system when the path could not be opened.
        reason: What exactly was wrong; empty when errno says it all.
    """

    def __init__(self, path: str, errno: int, reason: str = "") -> None:
        detail = f" ({reason})" if reason else ""
        super().__init__(f"{path}: {os.strerror(errno)}{detail}")
        self.path = path
        self.errno = errno
        self.reason = reason

    def __reduce__(self) -> tuple[type[TemplateError], tuple[str, int, str]]:
        return type(self), (self.path, self.errno, self.reason)


class LaunchError(AgentExecError):
    """Allowed, but the child never became the program. No process is left behind.

    Attributes:
        program: Absolute path of the executable.
        step: Where the launch failed.
        errno: What the kernel answered there.
        action: Index of the action that failed, when the step ran one of the plan's.
        stage: Index of the stage in its pipeline.
        reason: What else is known of it; empty when errno says it all.
    """

    def __init__(
        self,
        program: str,
        step: Step,
        errno: int,
        *,
        action: int | None = None,
        stage: int = 0,
        reason: str = "",
    ) -> None:
        at = "" if action is None else f" at action {action}"
        detail = f" ({reason})" if reason else ""
        super().__init__(f"{program}: {step} failed{at}: {os.strerror(errno)}{detail}")
        self.reason = reason
        self.program = program
        self.step = step
        self.errno = errno
        self.action = action
        self.stage = stage

    def __reduce__(self) -> tuple[Callable[[], LaunchError], tuple[()]]:
        # Exception pickles self.args, which is the message, not our parameters.
        again = partial(
            type(self),
            self.program,
            self.step,
            self.errno,
            action=self.action,
            stage=self.stage,
            reason=self.reason,
        )
        return again, ()


class Unsupported(AgentExecError):
    """This machine or launcher cannot do what was asked."""


class DaemonError(AgentExecError):
    """The daemon is not to be had, or does not do what was asked of it.

    Attributes:
        code: Why, for programs: ``not_running``, ``not_safe``, ``not_trusted``, ``replaced``,
            ``draining``, ``too_large``, ``busy``, ``bad_request``, ``failed``, ``gone``, or
            the name of the exception that the daemon met.
    """

    def __init__(self, message: str, code: str = "failed") -> None:
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple[type[DaemonError], tuple[str, str]]:
        return type(self), (str(self), self.code)


class Closed(AgentExecError):
    """The tool or engine was closed before or during the call."""
