"""Reads records back, from the oldest on, past lines that are none."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

from agent_exec.named_tuple import NamedTuple
from agent_exec.runtime.audit.files import files_of

_CHUNK = 1 << 20
_MOST_LINE = 64 * 1024 * 1024


class Filter(NamedTuple):
    """Which records; None: whatever."""

    verdict: str | None = None
    program: str | None = None
    """Name, or absolute path, of some command."""
    worktree: str | None = None
    asked_by: str | None = None
    since: str | None = None
    """ISO 8601, UTC, as far as it goes: ``2026-11-23`` or ``2026-11-23T19:``."""

    def takes(self, record: dict[str, Any]) -> bool:
        """Is it one of these?"""
        decision = record.get("decision") or {}
        if self.verdict is not None and decision.get("verdict") != self.verdict:
            return False
        if self.worktree is not None and record.get("worktree") != self.worktree:
            return False
        if self.asked_by is not None and record.get("asked_by") != self.asked_by:
            return False
        if self.since is not None and str(record.get("time", "")) < self.since:
            return False
        return self.program is None or self.program in _programs(decision)


class LogReader:
    """The records of a folder, in order; `read` again goes on where it stopped.

    Args:
        folder: Of the log.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._read: dict[str, int] = {}
        self.broken = 0
        """Lines that were no records."""

    def read(self, wanted: Filter = Filter()) -> Iterator[dict[str, Any]]:  # noqa: B008 - frozen
        """What has been written since the last time.

        Raises:
            OSError: A file cannot be read.
        """
        for path in files_of(self._folder):
            for line in self._lines(path):
                record = self._record(line)
                if record is not None and wanted.takes(record):
                    yield record

    def _lines(self, path: str) -> Iterator[bytes]:
        try:
            file = open(path, "rb")  # noqa: SIM115 - closed below
        except FileNotFoundError:  # it has become too old just now
            return
        with file:
            file.seek(self._read.get(path, 0))
            rest = b""
            while chunk := file.read(_CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from lines
                if len(rest) > _MOST_LINE:
                    self.broken += 1
                    rest = b""
            # What has no end yet may get one.
            self._read[path] = file.tell() - len(rest)

    def _record(self, line: bytes) -> dict[str, Any] | None:
        if not line:
            return None
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict) or not isinstance(record.get("v"), int):
            self.broken += 1
            return None
        return record


def _programs(decision: dict[str, Any]) -> set[str]:
    found = set()
    for command in decision.get("commands") or ():
        words = [command.get("program"), *(command.get("argv") or ())[:1]]
        for word in words:
            if isinstance(word, str):
                found |= {word, os.path.basename(word)}
    return found
