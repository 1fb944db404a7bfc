"""Refuse malformed actions before a child exists, with the RFC's errors."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence

from agent_exec.errors import TemplateError
from agent_exec.model.action import (
    AT_FDCWD,
    CLOSE_RANGE_CLOEXEC,
    CLOSE_RANGE_UNSHARE,
    MAX_ACTIONS,
    MAX_FD,
    Action,
    ActionType,
    OpenHow,
)

_HIGHEST_SIGNAL = 64
_FIELDS = ("type", "flags", "fd", "newfd")


def validate(actions: Sequence[Action], program: str) -> tuple[Action, ...]:
    """The actions as a tuple, when every one of them is well-formed.

    Raises:
        TemplateError: E2BIG for more than `MAX_ACTIONS`; EINVAL for a malformed one, with
            its index and what is wrong.
    """
    if len(actions) > MAX_ACTIONS:
        reason = f"{len(actions)} actions, at most {MAX_ACTIONS}"
        raise TemplateError(program, errno.E2BIG, reason)
    for index, action in enumerate(actions):
        problem = _problem(action)
        if problem:
            raise TemplateError(program, errno.EINVAL, f"action {index}: {problem}")
    return tuple(actions)


def _problem(action: object) -> str:
    if not isinstance(action, Action):
        return "no Action"
    for name in _FIELDS:
        if not _is_number(getattr(action, name), -(2**31), 2**31):
            return f"{name} is no 32-bit number"
    check = _CHECKS.get(action.type)
    return f"no action has type {action.type}" if check is None else check(action)


def _is_number(value: object, lowest: int, limit: int) -> bool:
    return isinstance(value, int) and lowest <= value < limit


def _unused(action: Action, *names: str) -> str:
    """The complaint about fields that the type does not use and that are not 0."""
    wrong = [name for name in names if getattr(action, name)]
    return f"{', '.join(wrong)} must be 0" if wrong else ""


def _close(action: Action) -> str:
    if action.fd < 0:
        return "fd is negative"
    return _unused(action, "flags", "newfd", "arg")


def _dup2(action: Action) -> str:
    if action.fd < 0 or action.newfd < 0:
        return "fd or newfd is negative"
    if action.flags & ~os.O_CLOEXEC:
        return "flags other than O_CLOEXEC"
    return _unused(action, "arg")


def _fchdir(action: Action) -> str:
    if action.fd < 0:
        return "fd is negative"
    return _unused(action, "flags", "newfd", "arg")


def _open(action: Action) -> str:
    if action.fd < AT_FDCWD:
        return "fd is neither a descriptor nor AT_FDCWD"
    if action.newfd < 0:
        return "newfd is negative"
    if not isinstance(action.arg, OpenHow):
        return "arg is no OpenHow"
    return _open_how(action.arg) or _unused(action, "flags")


def _open_how(how: OpenHow) -> str:
    path: object = how.path
    if not isinstance(path, bytes):
        return "the path is not bytes"
    if b"\0" in path:
        return "the path holds a NUL"
    # openat2(2) knows no other bits, and says so in the child.
    if not _is_number(how.flags, 0, 2**31):
        return "flags that open(2) does not have"
    if not _is_number(how.mode, 0, 0o10000):
        return "a mode above 07777"
    if not _is_number(how.resolve, 0, 2**64):
        return "resolve is no 64-bit number"
    return ""


def _close_range(action: Action) -> str:
    if action.fd < 0:
        return "fd is negative"
    if action.newfd != MAX_FD and action.newfd < action.fd:
        return "newfd is below fd"
    if action.flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC):
        return "unknown flags"
    return _unused(action, "arg")


def _signals(action: Action) -> str:
    if not isinstance(action.arg, frozenset):
        return "arg is no set of signals"
    if any(not _is_number(signum, 1, _HIGHEST_SIGNAL + 1) for signum in action.arg):
        return f"signals are 1 to {_HIGHEST_SIGNAL}"
    return _unused(action, "flags", "fd", "newfd")


_CHECKS: dict[int, Callable[[Action], str]] = {
    ActionType.CLOSE: _close,
    ActionType.DUP2: _dup2,
    ActionType.FCHDIR: _fchdir,
    ActionType.OPEN: _open,
    ActionType.CLOSE_RANGE: _close_range,
    ActionType.SIGMASK: _signals,
    ActionType.SIGDEFAULT: _signals,
}
