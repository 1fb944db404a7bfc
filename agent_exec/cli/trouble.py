"""What is said when the system refuses something to the command itself."""

from __future__ import annotations

import errno
import os
import sys

EXIT_TROUBLE = 125
EXIT_UNREAD = 141
"""Whoever read its output has gone, as of a program that SIGPIPE ends."""

_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def say(text: str) -> None:
    """Tell it on stderr, if somebody can be told."""
    if sys.stderr is None:
        return
    try:
        print(f"agent-exec: {text}", file=sys.stderr, flush=True)
    except OSError:
        _to_nowhere(2)


def told(error: OSError) -> int:
    """Say what the system refused, and what can be done; the exit status for it."""
    unwritten = _unwritten()
    if isinstance(error, BrokenPipeError):
        # What is left of the output would raise again at the end.
        _to_nowhere(1)
        return EXIT_UNREAD
    if unwritten is None:
        say(_words(error))
        return EXIT_TROUBLE
    say(f"the output cannot be written: {unwritten.strerror}; give it a place that has room")
    return EXIT_TROUBLE


def _unwritten() -> OSError | None:
    """Why what is left of the output cannot be written; None when all of it was."""
    if sys.stdout is None:
        return None
    try:
        sys.stdout.flush()
    except OSError as error:
        # It would raise again when the process ends.
        _to_nowhere(1)
        return error
    return None


def _words(error: OSError) -> str:
    try:
        os.getcwd()
    except FileNotFoundError:
        return "the current directory is gone; go to one that is there"
    if isinstance(error.filename, str | bytes):
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    if error.errno in _NO_ROOM:
        return f"there is no room for what is to be written: {error.strerror}; make some"
    return str(error)


def _to_nowhere(fd: int) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(nowhere, fd)
    os.close(nowhere)
