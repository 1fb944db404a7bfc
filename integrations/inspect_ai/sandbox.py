"""A sandbox environment: each sample has a worktree, and an `ExecTool` that judges its commands."""

from __future__ import annotations

import os
import pwd
import shutil
import tempfile
from typing import Any, Literal, overload

from anyio import to_thread
from inspect_ai.util import (
    ExecResult,
    OutputLimitExceededError,
    SandboxEnvironment,
    SandboxEnvironmentConfigType,
    SandboxEnvironmentLimits,
    SandboxUserUnsupportedError,
    sandboxenv,
)
from pydantic import BaseModel, ConfigDict

from agent_exec import AgentExecError, Ended, ExecTool, Output, ProgramNotFound, ToolResult
from agent_exec.integrations.common.beneath import read_beneath, write_beneath

_NOT_FOUND = 127
_UNKNOWN = -1


class AgentExecConfig(BaseModel):
    """``sandbox=SandboxEnvironmentSpec("agent_exec", AgentExecConfig(policy="read-only"))``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    policy: str = "workspace"
    """A shipped name, or the path of a file."""


@sandboxenv(name="agent_exec")
class AgentExecSandbox(SandboxEnvironment):
    """``sandbox=("agent_exec", FILE)``: under the policy in a file; or see `AgentExecConfig`.

    Nobody is asked during an evaluation: what the policy asks about is refused, which a model
    reads as a PermissionError. Files are those of the worktree, without links out of it.

    Args:
        tool: Closed by `sample_cleanup`, which removes its worktree, too.

    Attributes:
        tool: For programs that want more than Inspect's interface has, such as ``tool.start``:
            ``sandbox().as_type(AgentExecSandbox).tool``.
    """

    def __init__(self, tool: ExecTool) -> None:
        super().__init__()
        self.tool = tool

    @classmethod
    async def sample_init(
        cls,
        task_name: str,
        config: SandboxEnvironmentConfigType | None,
        metadata: dict[str, str],  # noqa: ARG003 - as all sandboxes have it
    ) -> dict[str, SandboxEnvironment]:
        worktree = tempfile.mkdtemp(prefix="agent-exec-inspect-")
        try:
            tool = ExecTool(
                worktree,
                policy=_policy_of(config),
                asked_by=f"inspect:{task_name}",
                output_bytes=SandboxEnvironmentLimits.MAX_EXEC_OUTPUT_SIZE,
            )
        except BaseException:
            shutil.rmtree(worktree)
            raise
        return {"default": cls(tool)}

    @classmethod
    async def sample_cleanup(
        cls,
        task_name: str,  # noqa: ARG003 - as all sandboxes have it
        config: SandboxEnvironmentConfigType | None,  # noqa: ARG003
        environments: dict[str, SandboxEnvironment],
        interrupted: bool,  # noqa: ARG003
    ) -> None:
        for each in environments.values():
            sandbox = each.as_type(cls)
            sandbox.tool.close()
            shutil.rmtree(sandbox.tool.worktree, ignore_errors=True)

    @classmethod
    def config_deserialize(cls, config: dict[str, Any]) -> BaseModel:
        return AgentExecConfig(**config)

    async def exec(
        self,
        cmd: list[str],
        input: str | bytes | None = None,  # noqa: A002 - as all sandboxes call it
        cwd: str | None = None,
        env: dict[str, str] | None = None,
        user: str | None = None,
        timeout: int | None = None,  # noqa: ASYNC109 - as all sandboxes have it
        timeout_retry: bool = True,  # noqa: ARG002 - what ran for so long is not run again
        concurrency: bool = True,  # noqa: ARG002 - the tool has its own limit
    ) -> ExecResult[str]:
        """Raises as the sandboxes of Inspect do: PermissionError for what is refused."""
        if user is not None and not _is_us(user):
            raise SandboxUserUnsupportedError(f"{user!r}: commands run as the current user")
        try:
            result = await self.tool.run(
                _without_login(cmd),
                stdin=input,
                cwd=cwd,
                env=env,
                timeout_s=None if timeout is None else float(timeout),
            )
        except ProgramNotFound as error:
            return ExecResult(False, _NOT_FOUND, "", str(error))
        except AgentExecError as error:
            raise PermissionError(f"refused: {error}") from error
        if result.ended is Ended.TIMEOUT:
            raise TimeoutError(f"it took more than {result.duration_ms / 1000:.0f} s")
        stdout, stderr = _whole(result.stdout), _whole(result.stderr)
        status = _status(result)
        return ExecResult(status == 0, status, stdout, stderr)

    async def write_file(self, file: str, contents: str | bytes) -> None:
        data = contents.encode() if isinstance(contents, str) else contents
        await to_thread.run_sync(write_beneath, self.tool.worktree, file, data)

    @overload
    async def read_file(self, file: str, text: Literal[True] = True) -> str: ...

    @overload
    async def read_file(self, file: str, text: Literal[False]) -> bytes: ...

    async def read_file(self, file: str, text: bool = True) -> str | bytes:
        limits = SandboxEnvironmentLimits
        try:
            data = await to_thread.run_sync(
                lambda: read_beneath(self.tool.worktree, file, most=limits.MAX_READ_FILE_SIZE)
            )
        except OverflowError:
            raise OutputLimitExceededError(limits.MAX_READ_FILE_SIZE_STR, None) from None
        return data.decode() if text else data


def _without_login(cmd: list[str]) -> list[str]:
    """Inspect's own tools call ``bash --login``, which would run the profile of the user."""
    is_login = cmd[:2] in (["bash", "--login"], ["bash", "-l"])
    return ["bash", *cmd[2:]] if is_login else cmd


def _policy_of(config: SandboxEnvironmentConfigType | None) -> str:
    if isinstance(config, str):
        return config
    if config is None:
        return AgentExecConfig().policy
    if not isinstance(config, AgentExecConfig):
        raise TypeError(f"a sandbox takes a file or an AgentExecConfig, not {type(config)}")
    return config.policy


def _whole(output: Output) -> str:
    if output.dropped:
        limit = SandboxEnvironmentLimits.MAX_EXEC_OUTPUT_SIZE_STR
        raise OutputLimitExceededError(limit, output.head + output.tail)
    return output.head


def _status(result: ToolResult) -> int:
    """As a shell says it."""
    return _UNKNOWN if result.status is None else result.status


def _is_us(user: str) -> bool:
    try:
        uid = int(user) if user.isdecimal() else pwd.getpwnam(user).pw_uid
    except KeyError:
        return False
    return uid == os.geteuid()
