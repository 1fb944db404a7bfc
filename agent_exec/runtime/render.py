"""outcome -> result: as the caller reads it."""

from __future__ import annotations

import signal

from agent_exec.model.decision import Decision
from agent_exec.model.outcome import Captured, Outcome, StageOutcome
from agent_exec.model.plan import TemplateUse
from agent_exec.model.request import Command
from agent_exec.model.result import Output, StageResult, ToolResult
from agent_exec.runtime.decode import decode


def render(
    decision: Decision,
    outcome: Outcome,
    templates: list[TemplateUse],
    files: tuple[str | None, str | None],
) -> ToolResult:
    """The result of a call that ran; `files` are where its whole outputs lie."""
    request = decision.request
    stages = zip(request.commands, outcome.stages, templates, strict=True)
    return ToolResult(
        id=request.id,
        verdict=decision.verdict,
        route=decision.route,
        ended=outcome.ended,
        stages=tuple([_stage(outcome, *stage) for stage in stages]),
        stdout=_output(outcome.stdout, files[0]),
        stderr=_output(outcome.stderr, files[1]),
        pipe_held=outcome.pipe_held,
        survivors=outcome.survivors,
        unreaped=outcome.unreaped,
        duration_ms=round(outcome.duration_s * 1000, 3),
    )


def _stage(
    outcome: Outcome, command: Command, stage: StageOutcome, template: TemplateUse
) -> StageResult:
    return StageResult(
        command.argv,
        stage.exit_code,
        None if stage.signal is None else signal_name(stage.signal),
        outcome.launcher,
        template,
    )


def signal_name(number: int) -> str:
    """SIGTERM for 15; SIGRTMIN+1 and the like have a number only."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def _output(captured: Captured, file: str | None) -> Output:
    text = decode(captured)
    return Output(text.head, text.tail, text.dropped, file)
