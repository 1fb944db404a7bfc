"""What follows from a call and its decision is made once; what each run has of its own is not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_exec import ExecTool
from agent_exec.model.call import ToolCall
from agent_exec.model.decision import Decision, Grant, Route, Verdict
from agent_exec.model.request import Command, ExecRequest
from agent_exec.policy import eyes
from agent_exec.runtime import alike
from agent_exec.runtime.alike import Alike

pytestmark = pytest.mark.timeout(60)

REQUEST = ExecRequest("1", ToolCall((("ls",),)), (Command(("ls",), "/bin/ls"),), "/", None)


def grant(request: ExecRequest = REQUEST) -> Grant:
    return Grant(request, Decision(Verdict.ALLOW, Route.DIRECT))


@pytest.fixture
def made() -> list[Grant]:
    return []


@pytest.fixture
def kept(made: list[Grant]) -> Alike[int]:
    def make(each: Grant) -> int:
        made.append(each)
        return len(made)

    return Alike(make)


def test_calls_of_one_decision_share_what_is_made(kept: Alike[int], made: list[Grant]) -> None:
    first = grant()
    again = first._replace(request=REQUEST._replace(id="2", call=ToolCall(justification="why")))
    assert [kept.of(each) for each in (first, again, first)] == [1, 1, 1]
    assert made == [first]


@pytest.mark.parametrize(
    "changes",
    [
        {"commands": (Command(("ls", "-a"), "/bin/ls"),)},
        {"commands": (Command(("ls",), "/usr/bin/ls"),)},
        {"cwd": "/usr"},
        {"needs_shell": "a loop"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_another_request_shares_nothing(kept: Alike[int], changes: dict[str, object]) -> None:
    first = grant()
    assert kept.of(first) == 1
    assert kept.of(first._replace(request=REQUEST._replace(**changes))) == 2  # type: ignore[arg-type]


def test_another_decision_shares_nothing(kept: Alike[int]) -> None:
    one, other = grant(), grant()
    assert one == other
    assert [kept.of(one), kept.of(other), kept.of(one)] == [1, 2, 1]


@pytest.mark.parametrize(
    "changes",
    [
        {"stdin": b"text"},
        {"text": "x" * 8193},
        {"commands": (Command(("ls", "x" * 8191), "/bin/ls"),)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_is_large_or_of_one_call_only_is_not_held(
    kept: Alike[int], changes: dict[str, object]
) -> None:
    large = grant(REQUEST._replace(**changes))  # type: ignore[arg-type]
    assert [kept.of(large), kept.of(large)] == [1, 2]


def test_the_oldest_makes_room(kept: Alike[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alike, "_MOST_KEPT", 2)
    one, two, three = grant(), grant(), grant()
    assert [kept.of(each) for each in (one, two, three, two, one)] == [1, 2, 3, 2, 4]


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ExecTool]:
    """One whose calls are all familiar, also with files that were written just now."""
    monkeypatch.setattr(eyes, "_SETTLED_NS", 0)
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    with ExecTool(tmp_path / "tree", policy="open", audit=False) as made:
        yield made


def test_each_run_has_a_mark_of_its_own(tool: ExecTool) -> None:
    results = [
        run for _ in range(3) for run in (tool.run_sync(["env"]), tool.run_shell_sync("env | cat"))
    ]
    for result in results:
        marks = [line for line in result.stdout.head.splitlines() if result.id in line]
        assert marks == [f"AGENT_EXEC_CALL={result.id}"]
    assert len({result.id for result in results}) == len(results)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("env | grep ^KEY=; export KEY=new; env | grep ^KEY=", "KEY=given\nKEY=new\n"),
        ("ls; export QUOTING_STYLE=c; ls", 'sub\n"sub"\n'),
        ("/bin/pwd; cd sub; /bin/pwd", "{tree}\n{tree}/sub\n"),
        ("env | grep ^PWD=; cd sub; env | grep ^PWD=", "PWD={tree}\nPWD={tree}/sub\n"),
        ("KEY=mine env | grep ^KEY=; env | grep ^KEY=", "KEY=mine\nKEY=given\n"),
        ("ls nowhere |& wc -l", "1\n"),
        ("cat nowhere || expr $? + 1", "2\n"),
    ],
    ids=[
        "export",
        "export-for-what-only-reads",
        "cd",
        "cd-in-the-environment",
        "prefix",
        "errors-too",
        "status",
    ],
)
def test_a_text_that_comes_again_does_what_it_did(tool: ExecTool, text: str, said: str) -> None:
    for _ in range(3):
        result = tool.run_shell_sync(text, env={"KEY": "given"} if "KEY" in text else None)
        assert result.stdout.head == said.format(tree=tool.worktree)


def test_what_a_text_has_done_to_a_program_is_seen_by_its_next_command(
    tool: ExecTool, tmp_path: Path
) -> None:
    program = tmp_path / "bin" / "prog"
    for _ in range(3):
        program.write_text("#!/bin/sh\necho there\n")
        program.chmod(0o755)
        result = tool.run_shell_sync(f"prog; rm {program}; prog")
        assert result.stdout.head == "there\n"
        # As bash, which remembers where it has found it.
        gone = f"bash: line 1: {program}: No such file or directory\n"
        assert (result.status, result.stderr.head) == (127, gone)


def test_an_interpreter_that_is_gone_is_told_of(tool: ExecTool, tmp_path: Path) -> None:
    interpreter = tmp_path / "bin" / "shell"
    program = tmp_path / "bin" / "prog"
    program.write_text(f"#!{interpreter}\necho there\n")
    program.chmod(0o755)
    for _ in range(2):
        interpreter.symlink_to("/bin/sh")
        result = tool.run_shell_sync("prog | cat")
        assert (result.stderr.head, result.stdout.head) == ("", "there\n")
        interpreter.unlink()
        result = tool.run_shell_sync("prog | cat")
        assert result.stages[0].exit_code == 127
        assert "cannot execute" in result.stderr.head
