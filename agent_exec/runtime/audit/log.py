"""The log of one tool: who asks, where, by which policy, and the records of its calls."""

from __future__ import annotations

import os
import time

from agent_exec.model.result import ToolResult
from agent_exec.runtime.audit.line import LineMaker
from agent_exec.runtime.audit.record import CallRecord
from agent_exec.runtime.audit.writer import AuditWriter
from agent_exec.schema.redact import Redactor


class AuditLog:
    """Safe from any thread; goes on in a process that was forked from ours.

    Args:
        writer: Of the files.
        worktree: Absolute, without links.
        policy: Its name.
        asked_by: Who sends the calls; None: nobody has said.
        redact: Takes secrets out.
    """

    def __init__(
        self,
        writer: AuditWriter,
        *,
        worktree: str,
        policy: str,
        asked_by: str | None,
        redact: Redactor,
    ) -> None:
        self._writer = writer
        self._asked_by = asked_by
        self._closed = False
        shown = os.fsencode(worktree).decode("utf-8", "replace")
        self._lines = LineMaker(redact, worktree=shown, policy=policy)

    def write(self, record: CallRecord, result: ToolResult) -> None:
        """A call has ended, or was refused."""
        asked_by = self._asked_by if record.asked_by is None else record.asked_by
        self._writer.write(self._lines.line(record, result, asked_by, os.getpid()), time.time())
        if self._closed:
            self._writer.close()

    @property
    def trouble(self) -> str | None:
        """Why records were lost; None when none was."""
        lost = self._writer.lost
        return f"{lost} records of the audit log were lost: {self._writer.why}" if lost else None

    def close(self) -> None:
        """Close the file; a later record, of a call that came too late, opens it for itself."""
        self._closed = True
        self._writer.close()
