"""What bash says of a pipeline whose last command a signal ended."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from agent_exec.named_tuple import NamedTuple

_WIDTH = 24  # LONGEST_SIGNAL_DESC of bash
_SILENT = frozenset({signal.SIGINT, signal.SIGPIPE})


class Ending(NamedTuple):
    """Of one command: `status` or `signal`, the other is None."""

    shown: str
    """The command as bash writes it."""
    pid: int
    status: int | None
    signal: int | None
    dumped: bool = False
    """It left a core file."""


def job_message(line: int, endings: Sequence[Ending]) -> str:
    """The whole message, or an empty one. `line`: the last one that bash had read."""
    last = endings[-1].signal
    if last is None or last in _SILENT:
        return ""
    if last == signal.SIGTERM:
        return f"{_said_of(last)}\n"
    first, *others = [f"{ending.pid:5} {_row(ending)}" for ending in endings]
    rows = [f"bash: line {line}: {first}{endings[0].shown}\n"]
    rows += [
        f"     {row}| {ending.shown}\n" for row, ending in zip(others, endings[1:], strict=True)
    ]
    return "".join(rows)


def _row(ending: Ending) -> str:
    if ending.signal is not None:
        core = "(core dumped) " if ending.dumped else ""
        return f"{_said_of(ending.signal):<{_WIDTH}}{core}"
    said = "Done" if ending.status == 0 else f"Exit {ending.status}"
    return f"{said:<{_WIDTH}}"


def _said_of(number: int) -> str:
    return signal.strsignal(number) or f"Unknown signal {number}"
