"""A sandbox over one `ExecTool`."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Any, Self

from ag2.tools.sandbox.base import ExecResult, SandboxBase
from anyio import to_thread

from agent_exec import Ended, ExecTool
from agent_exec.integrations.common.beneath import write_beneath

_NOT_RUN = 126
_NOT_FOUND = 127
_TIMED_OUT = 124


class ExecSandbox(SandboxBase):
    """``SandboxShellTool(SingletonFactory(ExecSandbox(tool)))``.

    ag2 calls ``sh -c`` for shell text, which runs without a shell where it can. What the
    policy asks about is for the approver of `tool`.

    Args:
        tool: Stays the caller's to close.
    """

    def __init__(self, tool: ExecTool) -> None:
        self._tool = tool

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        """This one: agents copy what they are given, and there is one worktree."""
        return self

    @property
    def workdir(self) -> PurePosixPath:
        return PurePosixPath(self._tool.worktree)

    @property
    def host_workdir(self) -> Path | None:
        return Path(self._tool.worktree)

    async def exec(
        self,
        argv: list[str],
        *,
        env: dict[str, str] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as all sandboxes have it
    ) -> ExecResult:
        """126 is of what was refused, 124 of what took too long, 127 of a missing program."""
        arguments: dict[str, Any] = {"argv": argv}
        if env:
            arguments["env"] = [{"name": name, "value": value} for name, value in env.items()]
        if timeout is not None:
            arguments["timeout_ms"] = max(1, round(timeout * 1000))
        done = await self._tool.call(arguments)
        if done.error is not None:
            missing = done.ended is Ended.LAUNCH_FAILED
            return ExecResult(done.text or "", _NOT_FOUND if missing else _NOT_RUN)
        if done.ended is Ended.TIMEOUT or done.status is None:
            return ExecResult(done.text or "", _TIMED_OUT)
        outputs = (done.stdout, done.stderr)
        if any(each.dropped for each in outputs):
            return ExecResult(done.text or "", done.status)
        return ExecResult("".join(each.head for each in outputs).strip(), done.status)

    async def put_file(self, path: PurePosixPath, content: bytes) -> None:
        """Into the worktree, and through no link."""
        if path.is_absolute():
            raise ValueError(f"{path} is absolute; name a path beneath the worktree")
        await to_thread.run_sync(write_beneath, self._tool.worktree, os.fspath(path), content)
