"""The files of the log: one for each day, more on a busy one. None is ever renamed.

A writer appends to the last file of the day, whoever else does. So no record is lost when one
writer goes on to the next file before another, and nothing is locked.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from agent_exec.homes import state_home
from agent_exec.regex import regex

MOST_BYTES = 64 * 1024 * 1024
"""Of one file; a writer that finds more goes on in another."""
_NAME = regex(r"(\d{4}-\d{2}-\d{2})(?:\.(\d{1,6}))?\.jsonl")
_DAY_S = 24 * 3600
_MARCH, _DECEMBER = 3, 12
_LONGEST_MONTH = 31


def audit_folder(environ: Mapping[str, str]) -> str:
    """``agent_exec/audit`` beneath the XDG state directory."""
    return os.path.join(state_home(environ), "agent_exec", "audit")


def files_of(folder: str) -> list[str]:
    """All files of the log, the oldest first; none where there is no folder.

    Raises:
        OSError: It cannot be read.
    """
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    found = []
    for name in names:
        match = _NAME.fullmatch(name)
        if match is not None:
            found.append((match[1], int(match[2] or 0), os.path.join(folder, name)))
    return [path for _, _, path in sorted(found)]


def file_name(day: str, number: int) -> str:
    """Of the file with that number, from 0, of a day such as ``2026-11-23``."""
    return f"{day}.{number}.jsonl" if number else f"{day}.jsonl"


def remove_old(folder: str, today: str, keep_days: int) -> None:
    """Remove the files of days that are more than `keep_days` before `today`.

    Raises:
        OSError: The folder cannot be read, or not all of them could be removed.
    """
    failed = None
    last = _number_of(today) - keep_days
    for path in files_of(folder):
        match = _NAME.fullmatch(os.path.basename(path))
        if match is not None and _number_of(match[1]) < last:
            try:
                os.unlink(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                failed = error
    if failed is not None:
        raise failed


def _number_of(day: str) -> int:
    """Of days. By hand, for to import `datetime` takes longer than to write a record."""
    year, month, date = map(int, day.split("-"))
    if not (1 <= month <= _DECEMBER and 1 <= date <= _LONGEST_MONTH):
        return 10**9  # a file that somebody has put there
    # Of years that begin in March: the day that some have more is their last.
    if month < _MARCH:
        year, month = year - 1, month + _DECEMBER
    past = 365 * year + year // 4 - year // 100 + year // 400
    return past + (153 * (month - _MARCH) + 2) // 5 + date
