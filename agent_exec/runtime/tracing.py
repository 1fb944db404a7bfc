"""Spans of calls, by OpenTelemetry's conventions for generative AI.

An application that traces has imported opentelemetry itself, and set it up. So nothing is
imported here: where nobody has, there is nowhere for a span to go.

Source:
    OpenTelemetry semantic conventions: gen-ai, "Execute tool span"; cli, "CLI programs".
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from agent_exec._version import __version__
from agent_exec.errors import AgentExecError
from agent_exec.model.call import ToolCall
from agent_exec.model.decision import Decision
from agent_exec.model.outcome import Ended, LauncherName
from agent_exec.model.result import Output, StageResult, ToolResult
from agent_exec.schema.redact import Redactor, without_secrets

CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
"""What other instrumentations of this kind go by."""
_TOOL = "exec"
_FAILED = frozenset({Ended.TIMEOUT, Ended.CANCELLED, Ended.REFUSED, Ended.LAUNCH_FAILED})


class Tracing:
    """Of one tool. Safe from any thread.

    Args:
        content: Whether arguments and results are part of a span; None: as `CONTENT` says.
        redact: Takes secrets out of them.
    """

    def __init__(self, content: bool | None, redact: Redactor) -> None:
        wanted = os.environ.get(CONTENT, "").lower() in ("true", "span_only", "span_and_event")
        self._content = wanted if content is None else content
        self._redact = redact

    def begin(self, id_: str, call: ToolCall | None) -> CallSpan | None:
        """The span of a call; None: nobody traces, or not this one. A child of the current one."""
        trace = sys.modules.get("opentelemetry.trace")
        if trace is None:
            return None
        span = trace.get_tracer("agent_exec", __version__).start_span(
            f"execute_tool {_TOOL}",
            attributes={
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": _TOOL,
                "gen_ai.tool.type": "function",
                "gen_ai.tool.call.id": id_,
            },
        )
        if not span.is_recording():  # nothing is set up, or a sampler says no
            return None
        made = CallSpan(trace, span, self._redact if self._content else None)
        made.called(call)
        return made


class CallSpan:
    """The span of one call, and those of its processes. Ended once.

    Args:
        trace: The module ``opentelemetry.trace``.
        span: That of the call.
        redact: For content; None: there is to be none.
    """

    def __init__(self, trace: Any, span: Any, redact: Redactor | None) -> None:  # noqa: ANN401 - an extra
        self._trace = trace
        self._span = span
        self._redact = redact

    def called(self, call: ToolCall | None) -> None:
        """What was asked for, if that may be told."""
        if self._redact is None or call is None:
            return
        shown = call._replace(stdin=None, stdout=None, stderr=None)
        try:
            text = json.dumps(without_secrets(shown.to_json(), self._redact), default=repr)
        except (AttributeError, TypeError, ValueError):
            text = self._redact(repr(shown))  # it will be refused for that
        self._span.set_attribute("gen_ai.tool.call.arguments", text)

    def decided(self, decision: Decision) -> None:
        """By the policy."""
        rules = dict.fromkeys(rule for one in decision.commands for rule in one.rules)
        self._span.set_attribute("agent_exec.policy.decision", decision.verdict.value)
        self._span.set_attribute("agent_exec.policy.rules", list(rules))
        if decision.route is not None:
            self._span.set_attribute("agent_exec.policy.route", decision.route.value)

    def end(self, result: ToolResult, error: BaseException | None = None) -> None:
        """The call has ended: `result`, perhaps because of `error`."""
        now = time.time_ns()
        self._span.set_attribute("agent_exec.ended", result.ended.value)
        for stage in result.stages:
            if stage.launcher is not LauncherName.BUILTIN:
                self._process(stage, now - round(result.duration_ms * 1e6), now)
        if error is not None:
            known = isinstance(error, AgentExecError)
            self._fail(self._span, type(error).__name__ if known else type(error).__qualname__)
        elif result.ended in _FAILED:
            self._fail(self._span, result.ended.value)
        if self._redact is not None:
            shown = [result.error or "", _whole(result.stdout), _whole(result.stderr)]
            text = "\n".join(filter(None, shown))
            self._span.set_attribute("gen_ai.tool.call.result", self._redact(text))
        self._span.end(end_time=now)

    def _process(self, stage: StageResult, began: int, ended: int) -> None:
        name = os.path.basename(stage.argv[0])
        attributes: dict[str, Any] = {
            "process.executable.name": name,
            "process.args_count": len(stage.argv),
            "agent_exec.launcher": stage.launcher.value,
        }
        if stage.template is not None:
            attributes["agent_exec.template"] = stage.template.value
        if stage.exit_code is not None:
            attributes["process.exit.code"] = stage.exit_code
        if self._redact is not None:
            attributes["process.command_args"] = [self._redact(word) for word in stage.argv]
        context = self._trace.set_span_in_context(self._span)
        tracer = self._trace.get_tracer("agent_exec", __version__)
        span = tracer.start_span(name, context, attributes=attributes, start_time=began)
        if stage.exit_code != 0:
            self._fail(span, stage.signal or str(stage.exit_code))
        span.end(end_time=ended)

    def _fail(self, span: Any, kind: str) -> None:  # noqa: ANN401 - an extra
        span.set_attribute("error.type", kind)
        span.set_status(self._trace.StatusCode.ERROR, kind)


def _whole(output: Output) -> str:
    gap = f"\n[{output.dropped} bytes left out]\n" if output.dropped else ""
    return f"{output.head}{gap}{output.tail}"
