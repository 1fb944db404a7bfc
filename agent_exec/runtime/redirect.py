"""The redirections of one command: descriptors to open, and what becomes of 0, 1 and 2."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterable
from contextlib import ExitStack

from agent_exec.model.action import Action
from agent_exec.model.script import Operator, Redirection
from agent_exec.named_tuple import NamedTuple
from agent_exec.runtime.open_file import OnlyByBashError

_BOTH = frozenset({Operator.WRITE_BOTH, Operator.APPEND_BOTH})
_DUPLICATES = frozenset({Operator.DUPLICATE_OUT, Operator.DUPLICATE_IN})
_TEXTS = frozenset({Operator.HERE_DOCUMENT, Operator.HERE_STRING})
# A pipe takes that much before somebody reads; pipe(7).
_FITS_A_PIPE = 65536


class Redirected(NamedTuple):
    """What a command gets as 0, 1 and 2."""

    actions: tuple[Action, ...]
    """In the order of the redirections."""
    targets: tuple[int | None, int | None, int | None]
    """The same as descriptors: a file, or None for what the pipeline gives. 1 stands for the
    output of the pipeline, 2 for its errors, where they were exchanged."""
    failed: str | None = None
    """Of the first that could not be opened: its message; the rest was not tried."""


OUTPUT = 1
ERRORS = 2
AS_GIVEN = Redirected((), (None, OUTPUT, ERRORS))
"""Of a command without redirections."""


def redirect(
    redirections: Iterable[Redirection],
    expand: Callable[[Redirection], str],
    *,
    open_: Callable[[str, Operator], int],
    errors_too: bool,
    holds: ExitStack,
) -> Redirected:
    """Open what `redirections` name, one after the other.

    Args:
        redirections: Of one command, in order.
        expand: The text of a target.
        open_: Opens the file of that name for that operator.
        errors_too: Behind all of them, errors go where the output goes (``|&``).
        holds: Closes what was opened.

    Raises:
        OnlyByBashError: One of them is a named pipe, or another file for each process.
    """
    actions: list[Action] = []
    targets: list[int | None] = [None, OUTPUT, ERRORS]
    failed: str | None = None
    for redirection in redirections:
        fd, operator = redirection.fd, redirection.operator
        text = expand(redirection)
        if operator in _DUPLICATES:
            source = int(text)
            actions.append(Action.dup2(source, fd))
            targets[fd] = targets[source]
            continue
        try:
            opened = (
                text_file(os.fsencode(text) + (b"\n" if operator is Operator.HERE_STRING else b""))
                if operator in _TEXTS
                else _above_two(open_(text, operator))
            )
        except OnlyByBashError:
            raise
        except OSError as error:
            failed = f"{text}: {os.strerror(error.errno or 0)}"
            break
        holds.callback(os.close, opened)
        for to in (1, 2) if operator in _BOTH else (fd,):
            actions.append(Action.dup2(opened, to))
            targets[to] = opened
    if errors_too and failed is None:
        actions.append(Action.dup2(1, 2))
        targets[2] = targets[1]
    return Redirected(tuple(actions), (targets[0], targets[1], targets[2]), failed)


def text_file(text: bytes) -> int:
    """Where `text` can be read: a pipe where it fits one, as in bash, else a file."""
    if len(text) <= _FITS_A_PIPE:
        read_end, write_end = os.pipe()
        os.set_blocking(write_end, False)
        try:
            # Less, where the user's pipes take many pages already; pipe(7).
            fits = not text or os.write(write_end, text) == len(text)
        except BlockingIOError:
            fits = False
        finally:
            os.close(write_end)
        if fits:
            return _above_two(read_end)
        os.close(read_end)
    from tempfile import TemporaryFile  # noqa: PLC0415 - short texts need none

    with TemporaryFile() as file:
        file.write(text)
        file.flush()
        file.seek(0)
        return _above_two(os.dup(file.fileno()))


def _above_two(fd: int) -> int:
    """0, 1 and 2 in an action are the child's."""

    if fd > ERRORS:
        return fd
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, ERRORS + 1)
    finally:
        os.close(fd)
