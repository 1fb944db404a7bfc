"""A text that ran without a shell -> result."""

from __future__ import annotations

from agent_exec.model.decision import Grant, Verdict
from agent_exec.model.outcome import Ended
from agent_exec.model.result import ToolResult
from agent_exec.runtime.render import output, what_files_lack
from agent_exec.runtime.script import ScriptRun


def render_script(
    grant: Grant,
    run: ScriptRun,
    *,
    stdout_file: str | None = None,
    stderr_file: str | None = None,
) -> ToolResult:
    """The result of a text that ran without a shell. See `render`."""
    out, err = run.output.out.captured(), run.output.err.captured()
    return ToolResult(
        id=grant.request.id,
        verdict=grant.decision.verdict if run.refused is None else Verdict.DENY,
        route=grant.decision.route,
        ended=run.ended,
        status=run.status if run.ended in (Ended.EXIT, Ended.SIGNAL) else None,
        stages=tuple(run.stages),
        stdout=output(out, stdout_file),
        stderr=output(err, stderr_file),
        pipe_held=run.pipe_held,
        survivors=tuple(run.survivors),
        unreaped=tuple(run.unreaped),
        duration_ms=run.duration_ms,
        error=run.refused,
        notices=grant.request.notices + what_files_lack(out, err, stdout_file, stderr_file),
        held_by=run.confining.held_by,
    )
