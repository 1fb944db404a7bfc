"""What of a plan the RFC's spawn call cannot do. Pure, but for `is_path_only`."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Sequence
from typing import Final

from agent_exec.model.action import MAX_ACTIONS, Action, ActionType, OpenHow
from agent_exec.model.plan import SpawnPlan

_AFRESH: Final = (Action.sigdefault(range(1, 65)), Action.sigmask(()))


def why_not(plan: SpawnPlan, *, is_path_only: Callable[[int], bool]) -> str | None:
    """Why a plan has to be left to another launcher; None when the kernel can do it.

    Args:
        plan: Validated.
        is_path_only: Was a descriptor of ours opened with O_PATH?
    """
    if plan.executable.script:
        return "the calls refuse scripts"
    if plan.session:
        return "no action makes a session (setsid)"
    if plan.die_with_parent:
        return "no action asks for a signal at the parent's death"
    if plan.confinement is not None:
        return "no action confines the child"
    if len(actions_of(plan)) > MAX_ACTIONS:
        return f"with the signals reset there are more than {MAX_ACTIONS} actions"
    return _path_only_problem(plan.actions, is_path_only)


def actions_of(plan: SpawnPlan) -> tuple[Action, ...]:
    """Its actions, after those that stand for `reset_signals`."""
    return (*_AFRESH, *plan.actions) if plan.reset_signals else plan.actions


def is_repeatable(plan: SpawnPlan) -> bool:
    """May its actions be run a second time, by another child? Not where a file must be new."""
    return not any(
        isinstance(action.arg, OpenHow) and action.arg.flags & os.O_EXCL for action in plan.actions
    )


def is_path_only(fd: int) -> bool:
    """Was `fd` opened with O_PATH? One that is not open was not."""
    try:
        return bool(fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_PATH)
    except OSError:
        return False


def _path_only_problem(
    actions: Sequence[Action], is_path_only: Callable[[int], bool]
) -> str | None:
    """Follow what has O_PATH. Of closed ones nothing is known: whoever uses one fails anyway."""
    known: dict[int, bool] = {}
    for action in actions:
        fd, newfd = action.fd, action.newfd
        if action.type == ActionType.OPEN:
            assert isinstance(action.arg, OpenHow)
            known[newfd] = bool(action.arg.flags & os.O_PATH)
        elif action.type in (ActionType.FCHDIR, ActionType.DUP2):
            path_only = known[fd] if fd in known else is_path_only(fd)
            if path_only and action.type == ActionType.FCHDIR:
                return "FCHDIR refuses a directory that was opened with O_PATH"
            if path_only and fd == newfd:
                return "DUP2 of an O_PATH descriptor to its own number is refused"
            if action.type == ActionType.DUP2:
                known[newfd] = path_only
    return None
