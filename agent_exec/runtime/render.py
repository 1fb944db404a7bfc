"""outcome -> result: as the caller reads it."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence

from agent_exec.model.decision import Grant
from agent_exec.model.outcome import Captured, Outcome, StageOutcome
from agent_exec.model.request import Command
from agent_exec.model.result import Output, StageResult, ToolResult
from agent_exec.runtime.decode import decode
from agent_exec.template.cache import Lease


def render(
    grant: Grant,
    outcome: Outcome,
    leases: Sequence[Lease],
    *,
    held_by: tuple[str, ...] | None,
    stdout_file: str | None = None,
    stderr_file: str | None = None,
) -> ToolResult:
    """The result of a call that ran.

    Args:
        grant: That let it run.
        outcome: What became of it.
        leases: The template of each stage.
        held_by: See `ToolResult`.
        stdout_file: Where the whole output lies; also `stderr_file`.
    """
    request, decision = grant.request, grant.decision
    last = outcome.stages[-1]
    stages = zip(request.commands, outcome.stages, leases, strict=True)
    return ToolResult(
        id=request.id,
        verdict=decision.verdict,
        route=decision.route,
        route_reason=decision.route_reason,
        ended=outcome.ended,
        status=_status(last),
        stages=tuple([_stage(outcome, *stage) for stage in stages]),
        stdout=output(outcome.stdout, stdout_file),
        stderr=output(outcome.stderr, stderr_file),
        pipe_held=outcome.pipe_held,
        survivors=outcome.survivors,
        unreaped=outcome.unreaped,
        duration_ms=round(outcome.duration_s * 1000, 3),
        notices=request.notices
        + what_files_lack(outcome.stdout, outcome.stderr, stdout_file, stderr_file),
        held_by=held_by,
    )


_NOTHING = Output()


def _status(stage: StageOutcome) -> int | None:
    return stage.exit_code if stage.signal is None else 128 + stage.signal


def signal_name(number: int) -> str:
    """SIGTERM for 15; SIGRTMIN+1 and the like have a number only."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def _stage(outcome: Outcome, command: Command, stage: StageOutcome, lease: Lease) -> StageResult:
    return StageResult(
        command.argv,
        stage.exit_code,
        None if stage.signal is None else signal_name(stage.signal),
        outcome.launcher,
        lease.use,
        lease.because,
    )


def output(captured: Captured, file: str | None) -> Output:
    """One output as text."""
    size = len(captured.head) + captured.dropped + len(captured.tail)
    if size == 0 and file is None:
        return _NOTHING
    return Output(*decode(captured), file, size)


def what_files_lack(
    stdout: Captured, stderr: Captured, stdout_file: str | None, stderr_file: str | None
) -> tuple[str, ...]:
    """Notices of output files that have not all."""
    if stdout_file is None and stderr_file is None:
        return ()
    lacks = []
    for file, captured in ((stdout_file, stdout), (stderr_file, stderr)):
        written = len(captured.head) + captured.dropped + len(captured.tail)
        if file is None or captured.spilled == written:
            continue
        why = os.strerror(captured.spill_errno) if captured.spill_errno else "the limit of a file"
        lacks.append(f"{file} has only the first {captured.spilled} of {written} bytes ({why})")
    return tuple(lacks)
