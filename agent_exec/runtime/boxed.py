"""What became of programs that ran in bubblewrap, which tells of a signal as of a status."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Sequence

from agent_exec.errors import LaunchError, Step, TemplateError
from agent_exec.model.outcome import Ended, Outcome, StageOutcome
from agent_exec.named_tuple import NamedTuple
from agent_exec.sandbox.told import Told, read_told

_MOST_SAID = 300


class Boxed(NamedTuple):
    """One stage."""

    program: str
    told: str
    """The file that says what became of it."""


def outcome_of(outcome: Outcome, boxed: Sequence[Boxed | None]) -> tuple[Outcome, bool]:
    """As it would be without bubblewrap; and whether nothing of the stages is left.

    Args:
        outcome: Of the engine.
        boxed: Of its stages; None: one that was run without.

    Raises:
        LaunchError: A program was never executed.
        TemplateError: The same of a lone one, that is no longer what was pinned.
    """
    told = [None if each is None else read_told(each.told) for each in boxed]
    ended_early = outcome.ended not in (Ended.EXIT, Ended.SIGNAL)
    for index, (each, found) in enumerate(zip(boxed, told, strict=True)):
        if each is not None and found is not None:
            _raise_failure(each, found, outcome, index, ended_early=ended_early)
    stages = tuple(map(_stage, outcome.stages, told))
    ended = outcome.ended
    if not ended_early:
        ended = Ended.EXIT if stages[-1].signal is None else Ended.SIGNAL
    gone = all(found is not None and found.status is not None for found in told)
    return outcome._replace(stages=stages, ended=ended), gone


def _raise_failure(
    boxed: Boxed, told: Told, outcome: Outcome, index: int, *, ended_early: bool
) -> None:
    if told.failed is not None:
        from agent_exec.launch.native import STEPS  # noqa: PLC0415 - there is none everywhere

        step, number = told.failed
        stale = step not in STEPS
        if stale and len(outcome.stages) == 1:
            raise TemplateError(boxed.program, number)
        raise LaunchError(boxed.program, STEPS.get(step, Step.EXEC), number, stage=index)
    stage = outcome.stages[index]
    if not told.begun and not ended_early and stage.exit_code is not None:
        said = outcome.stderr.head[:_MOST_SAID].decode(errors="replace").strip()
        raise LaunchError(
            boxed.program, Step.SANDBOX, errno.EPERM, stage=index, reason=said or "bubblewrap"
        )


def _stage(stage: StageOutcome, told: Told | None) -> StageOutcome:
    if told is None:
        return stage
    if told.status is None:
        # Bubblewrap, or the first process inside, was killed, and everything with it.
        return stage._replace(exit_code=None, signal=signal.SIGKILL.value)
    code = os.waitstatus_to_exitcode(told.status)
    if code < 0:
        return stage._replace(exit_code=None, signal=-code)
    return stage._replace(exit_code=code, signal=None)
