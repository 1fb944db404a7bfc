"""How coding agents run programs: argv in, a structured result out, no shell between.

    async with agent_exec.ExecTool(worktree=".", policy="open") as tool:
        result = await tool.run(["git", "status", "--short"])

`ExecTool` runs calls. `SpawnTemplate` is the layer below: an executable opened once, from
which many children are started, without policy or event loop.
"""

from __future__ import annotations

from importlib import import_module

from agent_exec._version import __version__

TYPE_CHECKING = False  # type checkers know the name; `typing` takes milliseconds

if TYPE_CHECKING:
    from agent_exec.backend import (
        BackendCall,
        BackendResult,
        Chunk,
        ExecBackend,
        LocalBackend,
        StreamEvent,
    )
    from agent_exec.errors import (
        AgentExecError,
        ApprovalRefused,
        BackendLost,
        CallRejected,
        Closed,
        DaemonError,
        Denied,
        InvalidCall,
        LaunchError,
        PolicyError,
        ProgramNotFound,
        Step,
        TemplateError,
        Unsupported,
    )
    from agent_exec.launch.spawn_template import SpawnTemplate
    from agent_exec.model.action import Action, ActionType, OpenHow
    from agent_exec.model.call import ToolCall
    from agent_exec.model.child import Child
    from agent_exec.model.decision import Decision, Executor, Route, Verdict
    from agent_exec.model.outcome import Ended, LauncherName
    from agent_exec.model.plan import TemplateUse
    from agent_exec.model.question import Answer, Offer, Question, Reply
    from agent_exec.model.result import Output, StageResult, ToolResult
    from agent_exec.policy.policy import Policy
    from agent_exec.runtime.approvals.asking import Approver
    from agent_exec.runtime.call_options import CallOptions
    from agent_exec.runtime.sessions.handle import BackgroundSession
    from agent_exec.schema.question import question_text
    from agent_exec.template.cache import CacheStats
    from agent_exec.tool import ExecTool

__all__ = [
    "Action",
    "ActionType",
    "AgentExecError",
    "Answer",
    "ApprovalRefused",
    "Approver",
    "BackendCall",
    "BackendLost",
    "BackendResult",
    "BackgroundSession",
    "CacheStats",
    "CallOptions",
    "CallRejected",
    "Child",
    "Chunk",
    "Closed",
    "DaemonError",
    "Decision",
    "Denied",
    "Ended",
    "ExecBackend",
    "ExecTool",
    "Executor",
    "InvalidCall",
    "LaunchError",
    "LauncherName",
    "LocalBackend",
    "Offer",
    "OpenHow",
    "Output",
    "Policy",
    "PolicyError",
    "ProgramNotFound",
    "Question",
    "Reply",
    "Route",
    "SpawnTemplate",
    "StageResult",
    "Step",
    "StreamEvent",
    "TemplateError",
    "TemplateUse",
    "ToolCall",
    "ToolResult",
    "Unsupported",
    "Verdict",
    "__version__",
    "question_text",
]

_HOMES = {
    "Action": "agent_exec.model.action",
    "ActionType": "agent_exec.model.action",
    "AgentExecError": "agent_exec.errors",
    "Answer": "agent_exec.model.question",
    "ApprovalRefused": "agent_exec.errors",
    "Approver": "agent_exec.runtime.approvals.asking",
    "BackendCall": "agent_exec.backend",
    "BackendLost": "agent_exec.errors",
    "BackendResult": "agent_exec.backend",
    "BackgroundSession": "agent_exec.runtime.sessions.handle",
    "CacheStats": "agent_exec.template.cache",
    "CallOptions": "agent_exec.runtime.call_options",
    "CallRejected": "agent_exec.errors",
    "Child": "agent_exec.model.child",
    "Chunk": "agent_exec.backend",
    "Closed": "agent_exec.errors",
    "DaemonError": "agent_exec.errors",
    "Decision": "agent_exec.model.decision",
    "Denied": "agent_exec.errors",
    "Ended": "agent_exec.model.outcome",
    "ExecBackend": "agent_exec.backend",
    "ExecTool": "agent_exec.tool",
    "Executor": "agent_exec.model.decision",
    "InvalidCall": "agent_exec.errors",
    "LaunchError": "agent_exec.errors",
    "LauncherName": "agent_exec.model.outcome",
    "LocalBackend": "agent_exec.backend",
    "Offer": "agent_exec.model.question",
    "OpenHow": "agent_exec.model.action",
    "Output": "agent_exec.model.result",
    "Policy": "agent_exec.policy.policy",
    "PolicyError": "agent_exec.errors",
    "ProgramNotFound": "agent_exec.errors",
    "Question": "agent_exec.model.question",
    "Reply": "agent_exec.model.question",
    "Route": "agent_exec.model.decision",
    "SpawnTemplate": "agent_exec.launch.spawn_template",
    "StageResult": "agent_exec.model.result",
    "Step": "agent_exec.errors",
    "StreamEvent": "agent_exec.backend",
    "TemplateError": "agent_exec.errors",
    "TemplateUse": "agent_exec.model.plan",
    "ToolCall": "agent_exec.model.call",
    "ToolResult": "agent_exec.model.result",
    "Unsupported": "agent_exec.errors",
    "Verdict": "agent_exec.model.decision",
    "question_text": "agent_exec.schema.question",
}


def __getattr__(name: str) -> object:
    # Imported at first use: the command line would wait for what it does not need.
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, *globals()]
