"""Reads records back, from the oldest on, past lines that are none."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from typing import Any

from agent_exec.errors import InvalidCall
from agent_exec.named_tuple import NamedTuple
from agent_exec.runtime.audit.files import files_of
from agent_exec.runtime.audit.shape import is_record

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
            InvalidCall: The folder or a file cannot be read.
        """
        try:
            paths = files_of(self._folder)
        except OSError as error:
            raise _unreadable(self._folder, error) from None
        for path in paths:
            for line in self._lines(path):
                record = self._record(line)
                if record is not None and wanted.takes(record):
                    yield record

    def _lines(self, path: str) -> Iterator[bytes]:
        try:
            # Not waited for, should it be a pipe.
            fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:  # it has become too old just now
            return
        except OSError as error:
            raise _unreadable(path, error) from None
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise InvalidCall(f"{path} is no file; move it out of the folder of the log")
        with open(fd, "rb") as file:
            file.seek(self._read.get(path, 0))
            rest, too_long = b"", False
            while chunk := file.read(_CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                if lines and too_long:
                    del lines[0]
                    too_long = False
                yield from lines
                if len(rest) > _MOST_LINE:
                    self.broken += not too_long
                    rest, too_long = b"", True
            # What has no end yet may get one.
            self._read[path] = file.tell() - len(rest)

    def _record(self, line: bytes) -> dict[str, Any] | None:
        if not line:
            return None
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if not is_record(record):
            self.broken += 1
            return None
        return record


def _unreadable(path: str, error: OSError) -> InvalidCall:
    return InvalidCall(
        f"the log cannot be read: {path}: {error.strerror}; see to it that you may read it, "
        "or name another folder with --folder"
    )


def _programs(decision: dict[str, Any]) -> set[str]:
    found = set()
    for command in decision.get("commands") or ():
        words = [command.get("program"), *(command.get("argv") or ())[:1]]
        for word in words:
            if isinstance(word, str):
                found |= {word, os.path.basename(word)}
    return found
