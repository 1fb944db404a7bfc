"""The files of a worktree, by commands that its tool judges."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

from agents.sandbox.errors import (
    WorkspaceArchiveReadError,
    WorkspaceArchiveWriteError,
    WorkspaceReadNotFoundError,
    WorkspaceWriteTypeError,
)

from agent_exec import AgentExecError, ExecTool


class Workspace:
    """Raises as the sessions of the SDK do; the context of an error has the reason.

    Args:
        tool: Whose approver is asked.
    """

    def __init__(self, tool: ExecTool) -> None:
        self._tool = tool

    async def read(self, path: Path) -> io.IOBase:
        """Raises WorkspaceReadNotFoundError, WorkspaceArchiveReadError."""
        with tempfile.TemporaryFile() as file:
            try:
                done = await self._tool.run(["cat", "--", str(path)], stdout=file.fileno())
            except AgentExecError as error:
                raise WorkspaceArchiveReadError(
                    path=path, context={"reason": str(error)}, cause=error
                ) from error
            if done.status != 0:
                if _is_missing(path):
                    raise WorkspaceReadNotFoundError(path=path)
                reason = done.stderr.head.strip() or done.ended.value
                raise WorkspaceArchiveReadError(path=path, context={"reason": reason})
            file.seek(0)
            return io.BytesIO(file.read())

    async def write(self, path: Path, data: io.IOBase) -> None:
        """Raises WorkspaceArchiveWriteError, WorkspaceWriteTypeError."""
        contents = data.read()
        if not isinstance(contents, bytes | bytearray):
            raise WorkspaceWriteTypeError(path=path, actual_type=type(contents).__name__)
        try:
            done = await self._tool.run(
                ["cat"],
                stdin=bytes(contents),
                stdout_file=_within(self._tool.worktree, path),
            )
        except AgentExecError as error:
            raise WorkspaceArchiveWriteError(
                path=path, context={"reason": str(error)}, cause=error
            ) from error
        if done.status != 0:
            reason = done.stderr.head.strip() or done.ended.value
            raise WorkspaceArchiveWriteError(path=path, context={"reason": reason})

    def is_same(self, left: Path, right: Path, *, follow_links: bool) -> bool:
        """Whether both are there, and one file; a link itself is none, unless it is followed."""
        if not follow_links and (left.is_symlink() or right.is_symlink()):
            return False
        try:
            return os.path.samefile(left, right)
        except FileNotFoundError:
            return False


def _is_missing(path: Path) -> bool:
    return not path.exists()


def _within(worktree: str, path: Path) -> str:
    return os.path.relpath(path, worktree)
