"""A code executor: blocks of shell text and Python that an agent wrote, judged like any call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autogen_core import CancellationToken
from autogen_core.code_executor import CodeBlock, CodeExecutor, CodeResult

from agent_exec import Ended, ExecTool, ToolResult
from agent_exec.integrations.autogen.calling import call

_SHELLS = ("bash", "sh", "shell")
_PYTHONS = ("python", "python3", "py")
_NOT_RUN = 126
_TIMED_OUT = 124


class ExecCodeExecutor(CodeExecutor):
    """Runs blocks one after the other, up to the first that fails.

    Shell text runs without a shell where it can; Python is the input of ``python3 -``. What
    the policy asks about is for the approver of `tool`.

    Args:
        tool: Stays the caller's to close.
    """

    def __init__(self, tool: ExecTool) -> None:
        self._tool = tool

    async def execute_code_blocks(
        self, code_blocks: list[CodeBlock], cancellation_token: CancellationToken
    ) -> CodeResult:
        """The outputs of all blocks that ran, and the exit status of the last.

        126 is of a block that was refused, 124 of one that took too long.
        """
        told: list[str] = []
        for block in code_blocks:
            arguments = _arguments(block)
            if arguments is None:
                known = ", ".join((*_SHELLS, *_PYTHONS))
                told.append(f"refused: there is no {block.language!r} here; write {known}")
                return CodeResult(exit_code=_NOT_RUN, output="\n".join(told))
            done = await call(self._tool, arguments, cancellation_token)
            told.append(done.text or "")
            if status := _status(done):
                return CodeResult(exit_code=status, output="\n".join(told))
        return CodeResult(exit_code=0, output="\n".join(told))

    async def start(self) -> None:
        """Nothing: the tool is ready, and stays the caller's."""

    async def stop(self) -> None:
        """Nothing."""

    async def restart(self) -> None:
        """Nothing: no block leaves a state."""


def _arguments(block: CodeBlock) -> Mapping[str, Any] | None:
    language = block.language.lower()
    if language in _SHELLS:
        return {"command": block.code}
    return {"argv": ["python3", "-"], "stdin": block.code} if language in _PYTHONS else None


def _status(done: ToolResult) -> int:
    if done.error is not None:
        return _NOT_RUN
    if done.ended is Ended.TIMEOUT:
        return _TIMED_OUT
    return 1 if done.status is None else done.status
