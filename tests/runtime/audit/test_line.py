"""Lines of the log: what is kept of one says nothing of another."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from agent_exec.model.call import ToolCall
from agent_exec.model.decision import Verdict
from agent_exec.model.outcome import Ended, LauncherName
from agent_exec.model.plan import TemplateUse
from agent_exec.model.result import Output, StageResult, ToolResult
from agent_exec.runtime.audit.line import LineMaker
from agent_exec.runtime.audit.record import CallRecord
from agent_exec.schema.redact import Redactor

SECRET = "a-secret-of-ours"
STAGES = st.builds(
    StageResult,
    argv=st.just(("x",)),
    exit_code=st.just(0),
    signal=st.none(),
    launcher=st.sampled_from(LauncherName),
    template=st.none() | st.sampled_from(TemplateUse),
    because=st.none() | st.sampled_from(["its size", 'a "size"', SECRET]),
)
RESULTS = st.builds(
    ToolResult,
    id=st.sampled_from(["one", "two"]),
    verdict=st.just(Verdict.ALLOW),
    route=st.none(),
    ended=st.sampled_from(Ended),
    status=st.none() | st.integers(0, 2),
    stages=st.lists(STAGES, max_size=2).map(tuple),
    stdout=st.builds(Output, size=st.integers(0, 2)),
    held_by=st.none() | st.lists(st.sampled_from(["landlock", "cgroup"]), max_size=2).map(tuple),
)


def maker() -> LineMaker:
    return LineMaker(Redactor((), [SECRET]), worktree="/w", policy="default")


@settings(max_examples=25)
@given(st.lists(RESULTS, max_size=6))
def test_lines_of_one_maker_are_those_of_a_new_one(results: list[ToolResult]) -> None:
    used = maker()
    for result in results:
        record = CallRecord(ToolCall(stages=(("x",),)), result.id)
        record.times = lambda: (1.0, 2.0, 3.0)  # type: ignore[method-assign]
        line = used.line(record, result, None, 1)
        assert line == maker().line(record, result, None, 1)
        told = json.loads(line)
        stages = result.stages
        assert told["templates"] == [each.template for each in stages]
        assert told["launcher"] == (stages[0].launcher if stages else None)
        assert (told["ended"], told["status"]) == (result.ended, result.status)
        assert told["held_by"] == (None if result.held_by is None else list(result.held_by))
        assert [each is None for each in told["recreated"]] == [
            each.because is None for each in stages
        ]
        assert SECRET not in line.decode()
