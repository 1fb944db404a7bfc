"""A call that did not run -> result."""

from __future__ import annotations

from agent_exec.errors import (
    AgentExecError,
    CallRejected,
    Denied,
    InvalidCall,
    PolicyError,
)
from agent_exec.model.decision import Decision, Verdict
from agent_exec.model.outcome import Ended
from agent_exec.model.result import ToolResult


def not_run(error: AgentExecError, id_: str = "") -> ToolResult:
    """The result of a call that ended with `error`."""
    if isinstance(error, Denied) and isinstance(error.decision, Decision):
        return ToolResult(
            id=id_,
            verdict=error.decision.verdict,
            route=error.decision.route,
            route_reason=error.decision.route_reason,
            ended=Ended.REFUSED,
            error=str(error),
        )
    refused = isinstance(error, (CallRejected, InvalidCall, PolicyError))
    return ToolResult(
        id=id_,
        verdict=Verdict.DENY if refused else Verdict.ALLOW,
        route=None,
        ended=Ended.REFUSED if refused else Ended.LAUNCH_FAILED,
        error=f"{type(error).__name__}: {error}",
    )
