"""A sandbox back end over one `ExecTool`."""

from __future__ import annotations

from typing import Any

from deepagents.backends.protocol import (
    ExecuteResponse,
    FileDownloadResponse,
    FileUploadResponse,
)
from deepagents.backends.sandbox import BaseSandbox

from agent_exec import ExecTool, Question, ToolResult
from agent_exec.integrations.common.asking import NOT_ASKED
from agent_exec.integrations.common.beneath import read_beneath, write_beneath
from agent_exec.integrations.langchain.interrupting import call, call_sync

_NOT_RUN = 126
_TIMED_OUT = 124
_BYTES = 1 << 20


class ExecSandbox(BaseSandbox):
    """``create_deep_agent(backend=ExecSandbox(tool))``: ``execute`` and the file tools.

    deepagents does most of its file tools by shell text with a program in Python in it, so
    the policy has to let the worktree's code run (``workspace`` does). What it asks about
    interrupts the graph, as with `agent_exec.integrations.langchain.ExecLangChainTool`.

    Args:
        tool: Stays the caller's to close.
        interrupt: False: what the policy asks about is for the approver of `tool`.
    """

    def __init__(self, tool: ExecTool, *, interrupt: bool = True) -> None:
        self._tool = tool
        self._interrupt = interrupt

    @property
    def id(self) -> str:
        return f"agent_exec:{self._tool.worktree}"

    def execute(self, command: str, *, timeout: int | None = None) -> ExecuteResponse:
        """On a thread without an event loop. A call that runs cannot be cancelled there."""
        arguments = _arguments(command, timeout)
        return _response(call_sync(self._tool, arguments, may_interrupt=self._interrupt))

    async def aexecute(
        self,
        command: str,
        *,
        timeout: int | None = None,  # noqa: ASYNC109 - as all back ends have it
    ) -> ExecuteResponse:
        arguments = _arguments(command, timeout)
        return _response(await call(self._tool, arguments, may_interrupt=self._interrupt))

    def upload_files(self, files: list[tuple[str, bytes]]) -> list[FileUploadResponse]:
        """Into the worktree, and through no link."""
        return [FileUploadResponse(path, self._upload(path, data)) for path, data in files]

    def download_files(self, paths: list[str]) -> list[FileDownloadResponse]:
        """Of the worktree, and through no link."""
        return [self._download(path) for path in paths]

    def _upload(self, path: str, data: bytes) -> Any:  # noqa: ANN401 - one of their literals
        try:
            write_beneath(self._tool.worktree, path, data)
        except OSError as error:
            return _error_of(error)
        return None

    def _download(self, path: str) -> FileDownloadResponse:
        try:
            return FileDownloadResponse(path, read_beneath(self._tool.worktree, path))
        except OSError as error:
            return FileDownloadResponse(path, error=_error_of(error))


def _error_of(error: OSError) -> Any:  # noqa: ANN401 - one of their literals
    if isinstance(error, FileNotFoundError):
        return "file_not_found"
    if isinstance(error, IsADirectoryError):
        return "is_directory"
    if isinstance(error, PermissionError):
        return "permission_denied"
    return str(error)


def _arguments(command: str, timeout_s: int | None) -> dict[str, Any]:
    arguments: dict[str, Any] = {"command": command, "output": {"keep": "both", "bytes": _BYTES}}
    # 0 is no limit: then the one of the policy.
    if timeout_s:
        arguments["timeout_ms"] = timeout_s * 1000
    return arguments


def _response(done: ToolResult | Question) -> ExecuteResponse:
    if isinstance(done, Question):
        return ExecuteResponse(NOT_ASKED, _NOT_RUN)
    if done.error is not None:
        return ExecuteResponse(done.text or "", _NOT_RUN)
    if done.status is None:
        return ExecuteResponse(done.text or "", _TIMED_OUT)
    stdout, stderr = done.stdout, done.stderr
    output = f"{stdout.head}{stdout.tail}{stderr.head}{stderr.tail}"
    return ExecuteResponse(output, done.status, bool(stdout.dropped or stderr.dropped))
