"""Send a signal to what a session runs in the foreground."""

from __future__ import annotations

import os
import re
import signal
import sys
from contextlib import suppress
from pathlib import Path

from agent_exec.errors import InvalidCall

_PROC = Path("/proc")
_EXAMPLES = "SIGINT, SIGTERM, SIGHUP, SIGUSR1"


def signal_number(name: str) -> int:
    """Of ``SIGINT``, ``INT`` or ``2``.

    Raises:
        InvalidCall: There is no such signal.
    """
    word = name.strip().upper()
    if re.fullmatch(r"[0-9]{1,2}", word):
        found = int(word)
        if found in signal.valid_signals():
            return found
    try:
        return signal.Signals[word if word.startswith("SIG") else f"SIG{word}"]
    except KeyError:
        raise InvalidCall(
            f"there is no signal {name!r:.40}; send one such as {_EXAMPLES}, or null to end it"
        ) from None


def send(signum: int, mark: bytes, group: int) -> int:
    """Signal the group in the foreground; how many processes got it.

    Args:
        signum: What to send.
        mark: That of the call, in the environment of what we have started for it.
        group: Of its terminal, whoever is in it; 0: all that we lead with that mark.
    """
    if sys.platform != "linux":
        return 0
    groups = {group} if group else {pid for pid in _pids() if _leads(pid, mark)}
    return sum(_send(pid, signum, groups) for pid in _pids() if _group(pid) in groups)


def _pids() -> list[int]:
    return [int(name) for name in os.listdir(_PROC) if name.isdigit()]


def _send(pid: int, signum: int, groups: set[int]) -> bool:
    with suppress(ProcessLookupError, PermissionError):  # it has ended, or is another user's
        pidfd = os.pidfd_open(pid)
        try:
            # Asked again now that the number cannot become another's.
            if _group(pid) in groups:
                signal.pidfd_send_signal(pidfd, signum)
                return True
        finally:
            os.close(pidfd)
    return False


def _stat(pid: int) -> list[bytes]:
    # The name in parentheses may hold anything, parentheses too.
    return (_PROC / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()


def _group(pid: int) -> int | None:
    try:
        stat = _stat(pid)
    except OSError:
        return None
    return None if stat[0] in (b"Z", b"X") else int(stat[2])


def _leads(pid: int, mark: bytes) -> bool:
    """Is it a stage: our child, leader of a group, with the mark?"""
    try:
        stat = _stat(pid)
        if int(stat[1]) != os.getpid() or int(stat[2]) != pid:
            return False
        return mark in (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
