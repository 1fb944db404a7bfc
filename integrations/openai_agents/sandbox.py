"""A sandbox session over one `ExecTool`, for sandbox agents."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path
from typing import Any, Literal, NoReturn

from agents.sandbox import Manifest
from agents.sandbox.errors import ExecNonZeroError, ExecTimeoutError, ExecTransportError
from agents.sandbox.materialization import MaterializationResult
from agents.sandbox.session import BaseSandboxSession, SandboxSessionState
from agents.sandbox.session.pty_types import PtyExecUpdate
from agents.sandbox.snapshot import NoopSnapshot
from agents.sandbox.types import ExecResult, User

from agent_exec import Closed, Ended, ExecTool, ToolResult
from agent_exec.integrations.openai_agents.outputs import whole
from agent_exec.integrations.openai_agents.processes import Processes
from agent_exec.integrations.openai_agents.workspace import Workspace

_NOT_RUN = 126
_NOT_FOUND = 127
_CD = re.compile(r"cd (?P<folder>[^\n]+) \|\| exit\n")
"""What the SDK writes before a text that is to run elsewhere than in the worktree itself."""


class ExecSandboxState(SandboxSessionState):
    """Of an `ExecSandboxSession`. The worktree is the caller's: there are no snapshots of it."""

    type: Literal["agent_exec"] = "agent_exec"


class ExecSandboxSession(BaseSandboxSession):
    """Runs what sandbox agents do in the worktree of a tool, which judges it.

    ``RunConfig(sandbox=SandboxRunConfig(session=ExecSandboxSession(tool)))``. Shell text runs
    without a shell where it can; files are read and written by commands, which the policy judges
    as it does others. What the policy asks about is for the approver of `tool`.

    Args:
        tool: Stays the caller's to close.
    """

    def __init__(self, tool: ExecTool) -> None:
        self._tool = tool
        self._workspace = Workspace(tool)
        self._processes = Processes(tool)
        self._is_running = True
        self.state = ExecSandboxState(
            manifest=Manifest(root=tool.worktree),
            snapshot=NoopSnapshot(id="agent_exec"),
            workspace_root_ready=True,
        )

    async def running(self) -> bool:
        return self._is_running

    async def read(self, path: Path, *, user: str | User | None = None) -> io.IOBase:
        """What may be read, byte for byte: nothing is redacted in it."""
        _only_us(user)
        return await self._workspace.read(self.normalize_path(path))

    async def write(self, path: Path, data: io.IOBase, *, user: str | User | None = None) -> None:
        _only_us(user)
        target = self.normalize_path(path, for_write=True)
        if not target.parent.exists():
            await self.mkdir(target.parent, parents=True)
        await self._workspace.write(target, data)

    async def mv(
        self,
        source: Path | str,
        destination: Path | str,
        *,
        user: str | User | None = None,
    ) -> None:
        _only_us(user)
        old = self.normalize_path(source, for_write=True)
        new = self.normalize_path(destination, for_write=True)
        command = ("mv", "-fT", "--", str(old), str(new))
        if old.is_dir() and not old.is_symlink():
            said = b"it is a directory, which is not moved"
            refused = ExecResult(stdout=b"", stderr=said, exit_code=1)
            raise ExecNonZeroError(refused, command=command)
        result = await self.exec(*command, shell=False)
        if not result.ok():
            raise ExecNonZeroError(result, command=command)

    async def same_file(
        self,
        left: Path | str,
        right: Path | str,
        *,
        follow_symlinks: bool = True,
        user: str | User | None = None,
    ) -> bool:
        _only_us(user)
        return self._workspace.is_same(
            self.normalize_path(left), self.normalize_path(right), follow_links=follow_symlinks
        )

    async def persist_workspace(self) -> NoReturn:
        """Nothing asks for it: `ExecSandboxState` has no snapshot."""
        raise NotImplementedError("the worktree is yours: no archive is made of it")

    async def hydrate_workspace(self, data: io.IOBase) -> NoReturn:
        """See `persist_workspace`."""
        raise NotImplementedError("the worktree is yours: no archive replaces what is in it")

    def supports_pty(self) -> bool:
        return True

    async def pty_exec_start(
        self,
        *command: str | Path,
        timeout: float | None = None,  # noqa: ASYNC109 - as all sessions have it
        shell: bool | list[str] = True,
        user: str | User | None = None,
        tty: bool = False,
        yield_time_s: float | None = None,
        max_output_tokens: int | None = None,
    ) -> PtyExecUpdate:
        """Begin a command, which goes on when `yield_time_s` have passed.

        With a terminal the policy judges it as a command that nobody knows; without, it has no
        input.
        """
        _only_us(user)
        given = self._prepare_exec_command(*command, shell=shell, user=None)
        arguments = _arguments(given, timeout)
        return await self._processes.start(
            arguments, terminal=tty, wait_s=yield_time_s, most_tokens=max_output_tokens
        )

    async def pty_write_stdin(
        self,
        *,
        session_id: int,
        chars: str,
        yield_time_s: float | None = None,
        max_output_tokens: int | None = None,
    ) -> PtyExecUpdate:
        return await self._processes.write(
            session_id, chars, wait_s=yield_time_s, most_tokens=max_output_tokens
        )

    async def pty_terminate_all(self) -> None:
        await self._processes.end_all()

    def _prepare_exec_command(
        self, *command: str | Path, shell: bool | list[str], user: str | User | None
    ) -> list[str]:
        # Without -l, which would read the profile of the user.
        shell = ["sh", "-c"] if shell is True else shell
        made: list[str] = super()._prepare_exec_command(*command, shell=shell, user=None)
        _only_us(user)
        return made

    async def _exec_internal(
        self,
        *command: str | Path,
        timeout: float | None = None,  # noqa: ASYNC109 - as all sessions have it
    ) -> ExecResult:
        """126 is of what was refused, 127 of a missing program."""
        words = [str(word) for word in command]
        try:
            done = await self._tool.call(_arguments(words, timeout))
        except Closed as error:
            raise ExecTransportError(command=command, cause=error, message=str(error)) from error
        if done.ended is Ended.TIMEOUT:
            raise ExecTimeoutError(command=command, timeout_s=timeout)
        return _result(done)

    async def _apply_manifest(
        self, *, only_ephemeral: bool = False, provision_accounts: bool = True
    ) -> MaterializationResult:
        manifest = self.state.manifest
        if manifest.users or manifest.groups:
            raise ValueError("commands run as the current user; the manifest has users or groups")
        if not manifest.entries:
            return MaterializationResult(files=[])
        return await super()._apply_manifest(
            only_ephemeral=only_ephemeral, provision_accounts=provision_accounts
        )

    async def _after_start(self) -> None:
        self._is_running = True

    async def _after_shutdown(self) -> None:
        self._is_running = False


def _only_us(user: str | User | None) -> None:
    if user is not None:
        raise ValueError("commands run as the current user, and no other")


def _arguments(words: list[str], timeout_s: float | None) -> dict[str, Any]:
    """What `ExecTool.call` takes: the text alone, where it is for a shell."""
    arguments: dict[str, Any] = {"argv": words}
    if words[:2] in (["sh", "-c"], ["bash", "-c"]) and len(words) == len(["sh", "-c", "text"]):
        arguments = {"command": words[2]}
        if found := _CD.match(words[2]):
            folder = shlex.split(found["folder"])
            if len(folder) == 1:
                arguments = {"command": words[2][found.end() :], "cwd": folder[0]}
    if timeout_s is not None:
        arguments["timeout_ms"] = max(1, round(timeout_s * 1000))
    return arguments


def _result(done: ToolResult) -> ExecResult:
    if done.error is not None:
        status = _NOT_FOUND if done.ended is Ended.LAUNCH_FAILED else _NOT_RUN
        return ExecResult(stdout=b"", stderr=(done.text or "").encode(), exit_code=status)
    outputs = [
        whole(each).encode("utf-8", "surrogateescape") for each in (done.stdout, done.stderr)
    ]
    status = _NOT_RUN if done.status is None else done.status
    return ExecResult(stdout=outputs[0], stderr=outputs[1], exit_code=status)
