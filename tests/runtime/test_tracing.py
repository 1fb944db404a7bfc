"""Spans of calls, as an exporter of OpenTelemetry's own SDK gets them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from agent_exec import AgentExecError, Answer, ExecTool, Reply
from agent_exec.runtime.tracing import CONTENT, Tracing
from agent_exec.schema.redact import Redactor

sdk = pytest.importorskip("opentelemetry.sdk.trace", reason="needs opentelemetry-sdk")
pytestmark = pytest.mark.foreign


class Spans:
    """What was exported, oldest first."""

    def __init__(self) -> None:
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        self._exporter = InMemorySpanExporter()
        self.provider = sdk.TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    def call(self) -> Any:
        (span,) = [one for one in self.all() if one.name == "execute_tool exec"]
        return span

    def processes(self) -> list[Any]:
        """Of the one call."""
        parent = self.call().context.span_id
        return [one for one in self.all() if one.parent and one.parent.span_id == parent]

    def all(self) -> list[Any]:
        return list(self._exporter.get_finished_spans())


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spans]:
    from opentelemetry import trace

    made = Spans()
    monkeypatch.setattr(trace, "get_tracer", made.provider.get_tracer)
    yield made
    made.provider.shutdown()


def test_a_call_has_a_span_and_its_process_a_child(spans: Spans, tmp_path: Path) -> None:
    with ExecTool(tmp_path, policy="open", audit=False) as tool:
        result = tool.run_sync(["echo", "hello"])
    call, (process,) = spans.call(), spans.processes()
    assert dict(call.attributes) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "exec",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.call.id": result.id,
        "agent_exec.policy.decision": "allow",
        "agent_exec.policy.rules": call.attributes["agent_exec.policy.rules"],
        "agent_exec.policy.route": "direct",
        "agent_exec.ended": "exit",
    }
    assert (process.name, process.attributes["process.exit.code"]) == ("echo", 0)
    assert process.attributes["agent_exec.launcher"] == tool.launcher.value
    assert call.start_time <= process.start_time <= process.end_time <= call.end_time
    assert call.status.is_ok
    assert "hello" not in repr([one.attributes for one in spans.all()])


def test_it_is_a_child_of_the_span_around_it(spans: Spans, tmp_path: Path) -> None:
    tracer = spans.provider.get_tracer("test")
    with (
        ExecTool(tmp_path, policy="open", audit=False) as tool,
        tracer.start_as_current_span("agent") as around,
    ):
        anyio.run(tool.run, ["true"])
        tool.run_sync(["true"])
    parents = {one.parent.span_id for one in spans.all() if one.name.startswith("execute_tool")}
    assert parents == {around.get_span_context().span_id}


def test_each_process_of_a_pipeline_has_one(spans: Spans, tmp_path: Path) -> None:
    with ExecTool(tmp_path, policy="open", audit=False) as tool:
        tool.run_pipeline_sync([["seq", "3"], ["tail", "-n1"]])
    assert [one.name for one in spans.processes()] == ["seq", "tail"]


def test_what_was_done_without_a_process_has_none(spans: Spans, tmp_path: Path) -> None:
    with ExecTool(tmp_path, policy="open", audit=False) as tool:
        assert tool.run_shell_sync("cd . && true").status == 0
    assert spans.processes() == []


@pytest.mark.parametrize(
    ("argv", "options", "call_error", "process_error"),
    [
        pytest.param(["false"], {}, None, "1", id="exit-status"),
        pytest.param(["sh", "-c", "kill -9 $$"], {}, None, "SIGKILL", id="signal"),
        pytest.param(["sleep", "9"], {"timeout_s": 0.05}, "timeout", "SIGTERM", id="timeout"),
        pytest.param(["no-such-program"], {}, "ProgramNotFound", None, id="not-found"),
    ],
)
def test_what_went_wrong_is_told_by_its_kind(
    spans: Spans,
    tmp_path: Path,
    argv: list[str],
    options: Any,
    call_error: str | None,
    process_error: str | None,
) -> None:
    with ExecTool(tmp_path, policy="open", audit=False) as tool:
        try:
            tool.run_sync(argv, **options)
        except AgentExecError:
            assert process_error is None
    call = spans.call()
    assert call.attributes.get("error.type") == call_error
    assert call.status.is_ok is (call_error is None)
    assert [one.attributes["error.type"] for one in spans.processes()] == (
        [] if process_error is None else [process_error]
    )


def test_a_refusal_names_its_rule_and_a_mistake_its_kind(spans: Spans, tmp_path: Path) -> None:
    async def main() -> None:
        async with ExecTool(tmp_path, policy="read-only", audit=False) as tool:
            await tool.call({"argv": ["touch", "x"]})
            await tool.call({"nonsense": 1})

    anyio.run(main)
    refused, mistaken = spans.all()
    assert refused.attributes["agent_exec.policy.decision"] == "deny"
    assert refused.attributes["error.type"] == "Denied"
    assert mistaken.attributes["error.type"] == "InvalidCall"
    assert "touch" not in repr(refused.attributes)


def test_what_was_decided_before_has_one_when_it_is_answered(spans: Spans, tmp_path: Path) -> None:
    async def main() -> None:
        async with ExecTool(tmp_path, audit=False) as tool:
            decision = await tool.decide({"argv": ["touch", "x"]})
            await tool.run_decided(decision, Answer(Reply.NEVER, "no"))
            await tool.run_decided(decision, Answer(Reply.ONCE))

    anyio.run(main)
    refused, _touch, ran = spans.all()
    assert refused.attributes["error.type"] == "ApprovalRefused"
    assert (ran.attributes["agent_exec.ended"], (tmp_path / "x").exists()) == ("exit", True)


def test_a_cancelled_call_has_one(spans: Spans, tmp_path: Path) -> None:
    async def main() -> None:
        async with ExecTool(tmp_path, policy="open", audit=False) as tool:
            with anyio.move_on_after(0.1):
                await tool.run(["sleep", "9"])

    anyio.run(main)
    call = spans.call()
    assert call.attributes["agent_exec.ended"] == "cancelled"
    assert call.attributes["error.type"] == "CancelledError"


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_content_is_there_when_wanted_without_secrets(
    spans: Spans, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "s3cr3t-value")
    if by == "environment":
        monkeypatch.setenv(CONTENT, "true")
    wanted = True if by == "argument" else None
    with ExecTool(tmp_path, policy="workspace", audit=False, trace_content=wanted) as tool:
        tool.run_sync(["echo", "hello", "s3cr3t-value"], stdin="zebra")
    call, (process,) = spans.call(), spans.processes()
    assert (
        call.attributes["gen_ai.tool.call.arguments"] == '{"argv": ["echo", "hello", "[redacted]"]}'
    )
    assert call.attributes["gen_ai.tool.call.result"] == "hello [redacted]\n"
    assert process.attributes["process.command_args"] == ("echo", "hello", "[redacted]")


def test_what_is_not_sampled_costs_no_span(monkeypatch: pytest.MonkeyPatch) -> None:
    from opentelemetry import trace
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

    for sampler, recorded in ((ALWAYS_OFF, False), (ALWAYS_ON, True)):
        provider = sdk.TracerProvider(sampler=sampler, shutdown_on_exit=False)
        monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
        span = Tracing(content=True, redact=Redactor((), ())).begin("1", None)
        assert (span is not None) is recorded
        provider.shutdown()


def test_nothing_is_imported_where_nobody_traces(tmp_path: Path) -> None:
    code = (
        "import sys, agent_exec\n"
        "with agent_exec.ExecTool('.', policy='open', audit=False) as tool:\n"
        "    tool.run_sync(['true'])\n"
        "print(sorted(name for name in sys.modules if name.startswith('opentelemetry')))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
