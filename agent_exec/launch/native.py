"""The C core, under names. The only module that imports `agent_exec._native`.

Numbers that cross the border (steps, causes) are written down in the C headers
and here, nowhere else.
"""

from __future__ import annotations

import errno
from enum import IntEnum
from typing import TypeAlias

from agent_exec._native import (
    Engine,
    Port,
    __file__,
    clone_call,
    credentials,
    is_empty,
    is_straight,
    make_rule_set,
    park,
    rules_hold,
    spawn,
    still_so,
)
from agent_exec.errors import Closed, LaunchError, Step, TemplateError
from agent_exec.model.plan import CallPlan, Executable, SpawnPlan

__all__ = [
    "IMAGE",
    "STEPS",
    "Cause",
    "Engine",
    "Port",
    "RawFailure",
    "clone_call",
    "credentials",
    "failure",
    "is_empty",
    "is_straight",
    "launch_error",
    "launch_failure",
    "make_rule_set",
    "park",
    "park_failure",
    "refusal",
    "rules_hold",
    "spawn",
    "still_so",
]

IMAGE: str = __file__
"""The file of the C core, which is also the program of the guardian."""

RawFailure: TypeAlias = tuple[int, int, int, int, int]
"""`Cause`, step, errno, action or -1, stage: of a call that has no outcome."""


class Cause(IntEnum):
    """``enum ax_cause``: why a job ended other than by itself."""

    BY_ITSELF = 0
    TIMED_OUT = 1
    CANCELLED = 2
    CLOSED = 3
    NOT_LAUNCHED = 4


# enum ax_step
STEPS = {1: Step.SPAWN, 2: Step.CWD, 3: Step.STDIO, 4: Step.SANDBOX, 5: Step.EXEC}
_TEMPLATE_STEP = 6


def failure(plan: CallPlan, raw: RawFailure) -> LaunchError | TemplateError | Closed:
    """The exception for a call that has no outcome."""
    cause, step, error, action, stage = raw
    if cause == Cause.CLOSED:
        return Closed("the engine was closed during the call")
    return launch_failure(plan.stages[stage], step, error, action, stage)


def refusal(plan: CallPlan, step: Step, error: OSError) -> LaunchError | Closed:
    """The exception for a call that the core did not take: it is closed, or no thread or
    descriptor is to be had."""
    if error.errno == errno.ECANCELED:
        return Closed("the engine is closed")
    return launch_error(plan.stages[0], step, error.errno or errno.EIO)


def launch_failure(
    plan: SpawnPlan, step: int, error: int, action: int, stage: int = 0
) -> LaunchError | TemplateError:
    """The exception for a failure that the C core reported; `action` -1 is none."""
    if step == _TEMPLATE_STEP:
        return TemplateError(plan.executable.name, error)
    return launch_error(
        plan, STEPS[step], error, action=None if action < 0 else action, stage=stage
    )


def park_failure(executable: Executable, step: int, error: int) -> LaunchError | TemplateError:
    """The exception for a failure of `park`: of the file, or of what children need here."""
    what = "no child can be parked on it, which templates.deny_write needs"
    if STEPS.get(step) is Step.EXEC:
        return TemplateError(executable.name, error, what)
    reason = f"{what}: nothing may be traced here" if step == _TEMPLATE_STEP else what
    return LaunchError(executable.name, Step.SPAWN, error, reason=reason)


def launch_error(
    plan: SpawnPlan, step: Step, error: int, *, action: int | None = None, stage: int = 0
) -> LaunchError:
    """A `LaunchError` that names the executable of `plan`."""
    reason = ""
    if step is Step.SANDBOX:
        reason = "the child could not be confined, and did not run"
    elif step is Step.EXEC and error == errno.EACCES and _has_landlock(plan):
        reason = (
            "it is confined by Landlock: perhaps without the right to execute this program, "
            "its interpreter or its loader"
        )
    name = plan.executable.name
    return LaunchError(name, step, error, action=action, stage=stage, reason=reason)


def _has_landlock(plan: SpawnPlan) -> bool:
    return plan.confinement is not None and plan.confinement.landlock is not None
