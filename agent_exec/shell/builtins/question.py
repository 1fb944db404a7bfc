"""test and [."""

from __future__ import annotations

import operator
import os
import stat
from collections.abc import Callable, Mapping, Sequence

from agent_exec.shell.builtins.state import Done, Places, ShellState

_COMPARISONS: Mapping[str, Callable[[int, int], bool]] = {
    "-eq": operator.eq,
    "-ne": operator.ne,
    "-lt": operator.lt,
    "-le": operator.le,
    "-gt": operator.gt,
    "-ge": operator.ge,
}
_KINDS: Mapping[str, Callable[[int], bool]] = {
    "-b": stat.S_ISBLK,
    "-c": stat.S_ISCHR,
    "-d": stat.S_ISDIR,
    "-f": stat.S_ISREG,
    "-p": stat.S_ISFIFO,
    "-S": stat.S_ISSOCK,
}
_MODE_BITS = {"-g": stat.S_ISGID, "-k": stat.S_ISVTX, "-u": stat.S_ISUID}
_ACCESS = {"-r": os.R_OK, "-w": os.W_OK, "-x": os.X_OK}


def question(words: Sequence[str], state: ShellState, places: Places) -> Done:
    """``test``: status 0 for yes, 1 for no."""
    return Done(state, 0 if _answer(list(words), state, places) else 1)


def bracket(words: Sequence[str], state: ShellState, places: Places) -> Done:
    """``[ ... ]``."""
    return question(words[:-1], state, places)


def _answer(words: list[str], state: ShellState, places: Places) -> bool:
    if len(words) in (2, 3, 4) and words[0] == "!" and not _is_binary(words):
        return not _answer(words[1:], state, places)
    match words:
        case []:
            return False
        case [word]:
            return word != ""
        case [unary, operand]:
            return _about(unary, operand, state, places)
        case [left, "=" | "==", right]:
            return left == right
        case [left, "!=", right]:
            return left != right
        case [left, comparison, right]:
            return _COMPARISONS[comparison](int(left), int(right))
        case _:
            raise AssertionError(f"no form of test: {words}")


def _is_binary(words: Sequence[str]) -> bool:
    return len(words) == 3 and (words[1] in _COMPARISONS or words[1] in ("=", "==", "!="))


def _about(unary: str, operand: str, state: ShellState, places: Places) -> bool:
    if unary == "-n":
        return operand != ""
    if unary == "-z":
        return operand == ""
    if operand == "":
        return False
    path = operand if operand.startswith("/") else f"{state.here}/{operand}"
    if unary in _ACCESS:
        return places.access(path, _ACCESS[unary])
    link = unary in ("-h", "-L")
    status = places.status(path, follow=not link)
    if status is None:
        return False
    if link:
        return stat.S_ISLNK(status.st_mode)
    return _of_status(unary, status)


def _of_status(unary: str, status: os.stat_result) -> bool:
    if unary in _KINDS:
        return _KINDS[unary](status.st_mode)
    if unary in _MODE_BITS:
        return bool(status.st_mode & _MODE_BITS[unary])
    if unary == "-e":
        return True
    if unary == "-s":
        return status.st_size > 0
    if unary == "-O":
        return status.st_uid == os.geteuid()
    if unary == "-G":
        return status.st_gid == os.getegid()
    assert unary == "-N"
    # Modified since it was last read.
    return status.st_atime_ns < status.st_mtime_ns
