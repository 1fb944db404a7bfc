"""Every call leaves one record, whatever became of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import anyio
import pytest

from agent_exec import (
    AgentExecError,
    Answer,
    ExecTool,
    InvalidCall,
    ProgramNotFound,
    Reply,
)
from agent_exec.runtime.audit.reader import Filter, LogReader
from agent_exec.runtime.audit.replay import replay
from agent_exec.runtime.audit.stats import stats_of
from agent_exec.runtime.checker import Checker

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "audit.md"


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    folder = tmp_path / "worktree"
    folder.mkdir()
    (folder / "a").write_text("one\n")
    return folder


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "audit"


def records(log: Path, **wanted: str) -> list[dict[str, Any]]:
    return list(LogReader(str(log)).read(Filter(**wanted)))


def test_a_whole_record(worktree: Path, log: Path) -> None:
    with ExecTool(worktree, audit=log, asked_by="a test") as tool:
        result = tool.run_sync(["cat", "a"], stdin="in", timeout_s=5.0)
        (record,) = records(log)
    times = record.pop("times")
    assert times.keys() == {"decide_ms", "wait_ms", "run_ms"}
    assert (times["wait_ms"], times["decide_ms"] > 0, times["run_ms"] > 0) == (0, True, True)
    assert record.pop("time").endswith("Z")
    assert record.pop("pid") > 0
    decision = record.pop("decision")
    assert decision == tool.check(["cat", "a"], stdin="in", timeout_s=5.0).to_json()
    assert record == {
        "v": 1,
        "id": result.id,
        "asked_by": "a test",
        "worktree": str(worktree),
        "policy": "default",
        "call": {
            "argv": ["cat", "a"],
            "timeout_s": 5.0,
            "stdin": {
                "bytes": 2,
                "sha256": "582967534d0f909d196b97f9e6921342777aea87b46fa52df165389db1fb8ccf",
            },
        },
        "answer": None,
        "ended": "exit",
        "status": 0,
        "launcher": "vfork",
        "templates": ["miss"],
        "recreated": [None],
        "held_by": list(result.held_by or ()),
        "bytes": {"stdout": 4, "stderr": 0},
        "error": None,
    }


def test_the_page_explains_every_field(worktree: Path, log: Path) -> None:
    with ExecTool(worktree, audit=log) as tool:
        tool.run_sync(["cat", "a"])
    (record,) = records(log)
    explained = re.findall(r"^\| `(\w+)`", PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(explained) == sorted(record.keys() - {"v"})


def refused(tool: ExecTool, *argv: str) -> type[AgentExecError]:
    with pytest.raises(AgentExecError) as caught:
        tool.run_sync(list(argv))
    return caught.type


def test_what_did_not_run_is_recorded_too(worktree: Path, log: Path) -> None:
    with ExecTool(worktree, audit=log, approver=lambda _: Answer(Reply.NEVER, "no")) as tool:
        assert refused(tool, "rm", "a").__name__ == "ApprovalRefused"
        assert refused(tool, "no-such-program") is ProgramNotFound
        assert refused(tool) is InvalidCall
    asked, missing, empty = records(log)
    assert (asked["ended"], asked["decision"]["verdict"]) == ("refused", "ask")
    assert asked["answer"] == {"reply": "never", "message": "no", "pattern": None}
    assert (missing["ended"], missing["decision"]) == ("launch_failed", None)
    assert "argv is empty" in empty["error"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_cancelled_call_is_recorded(worktree: Path, log: Path, backend: str) -> None:
    async def main() -> None:
        async with ExecTool(worktree, audit=log) as tool:
            with anyio.move_on_after(0.1):
                await tool.run(["tail", "-f", "a"])

    anyio.run(main, backend=backend)
    (record,) = records(log)
    assert (record["ended"], record["decision"]["verdict"]) == ("cancelled", "allow")


def test_texts_pipelines_and_halves_are_recorded(worktree: Path, log: Path) -> None:
    async def main() -> None:
        async with ExecTool(worktree, audit=log) as tool:
            await tool.run_shell("cat a | wc -l")
            await tool.run_pipeline([["cat", "a"], ["wc", "-l"]])
            decision = await tool.decide({"argv": ["touch", "b"]})
            await tool.run_decided(decision, Answer(Reply.ONCE))
            await tool.call({"argv": ["cat", "a"], "justification": "why"})

    anyio.run(main)
    calls = [record["call"] for record in records(log)]
    assert calls == [
        {"command": "cat a | wc -l"},
        {"pipeline": [["cat", "a"], ["wc", "-l"]]},
        {"argv": ["touch", "b"]},
        {"argv": ["cat", "a"], "justification": "why"},
    ]


def test_no_secret_and_no_input_stands_in_the_log(
    worktree: Path, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = 's3cr3t-"quoted"-ünicode'
    monkeypatch.setenv("SOME_TOKEN", secret)
    with ExecTool(worktree, policy="workspace", audit=log) as tool:
        tool.run_sync(["echo", secret], stdin=f"zebra {secret}")
        refused(tool, "rm", f"/var/lib/no-such/{secret}")
    text = b"".join(path.read_bytes() for path in log.iterdir())
    for form in (secret, json.dumps(secret)[1:-1]):
        assert form.encode() not in text
    assert b"zebra" not in text
    assert len(records(log)) == 2


def test_a_log_that_cannot_be_written_fails_no_call(worktree: Path) -> None:
    with ExecTool(worktree, audit="/proc/no-such-folder") as tool:
        assert tool.run_sync(["cat", "a"]).status == 0
        assert tool.audit_trouble is not None
        assert "1 records of the audit log were lost" in tool.audit_trouble
    with ExecTool(worktree, audit=False) as tool:
        assert tool.run_sync(["cat", "a"]).status == 0
        assert tool.audit_trouble is None


def test_records_are_found_by_what_they_are_about(worktree: Path, log: Path) -> None:
    with ExecTool(worktree, audit=log, asked_by="me") as tool:
        tool.run_sync(["cat", "a"])
        tool.run_shell_sync("cat a | wc")
        refused(tool, "rm", "a")
    assert len(records(log, program="cat")) == 2
    assert len(records(log, program="wc")) == 1
    assert len(records(log, verdict="ask")) == 1
    assert len(records(log, worktree=str(worktree))) == 3
    assert records(log, worktree="/") == records(log, asked_by="you") == []
    assert records(log, since="9999") == []
    assert len(records(log, since="2000-01-01")) == 3


def test_numbers_of_a_log(worktree: Path, log: Path) -> None:
    with ExecTool(worktree, audit=log, hot_after=1) as tool:
        for _ in range(3):
            tool.run_sync(["cat", "a"])
        for _ in range(2):
            refused(tool, "rm", "a")
    stats = stats_of(records(log))
    assert (stats.calls, stats.verdicts) == (5, {"allow": 3, "ask": 2})
    assert stats.ended == {"exit": 3, "refused": 2}
    assert stats.asked == (("rm deletes a", 2),)
    assert stats.template_hits == pytest.approx(2 / 3, abs=1e-3)
    assert stats.programs == (("cat", 3), ("rm", 2))
    assert stats.run_ms is not None
    assert stats.wait_ms is None
    assert stats_of([]).decide_ms is None


def test_which_verdicts_another_policy_would_change(worktree: Path, log: Path) -> None:
    with ExecTool(worktree, audit=log) as tool:
        tool.run_sync(["cat", "a"])
        refused(tool, "rm", "a")
        refused(tool, "no-such-program")
    made = list(replay(records(log), lambda place: Checker(place, "read-only")))
    assert [(each.then, each.now) for each in made] == [
        ("allow", "allow"),
        ("ask", "deny"),
        ("none", "deny"),
    ]
    worktree.rename(worktree.parent / "moved")
    gone = list(replay(records(log), lambda place: Checker(place, "read-only")))
    assert {each.now for each in gone} == {None}
    assert "no directory" in gone[0].because
