"""`ExecTool` by a policy: what is refused, with which environment and limits the rest runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent_exec import Denied, ExecTool, PolicyError, ToolResult
from agent_exec.model.decision import Verdict

pytestmark = pytest.mark.timeout(30)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A worktree with a file."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a.txt").write_text("one\n")
    return tree


def written(folder: Path, text: str) -> Path:
    """A policy file that extends `open`."""
    file = folder / "policy.yaml"
    file.write_text(f"version: 1\nextends: [open]\n{text}\n")
    return file


def test_what_only_reads_runs_by_default(tree: Path) -> None:
    with ExecTool(tree) as tool:
        assert tool.run_sync(["cat", "a.txt"]).stdout.head == "one\n"
        result = tool.run_shell_sync("cat a.txt | wc -l")
    assert (result.stdout.head.strip(), result.route) == ("1", "direct")


@pytest.mark.parametrize(
    ("policy", "verdict", "says"),
    [
        (
            "default",
            Verdict.ASK,
            "somebody would have to be asked, .*: rm deletes",
        ),
        ("read-only", Verdict.DENY, "rm deletes a.txt"),
    ],
)
def test_what_is_not_allowed_is_refused_with_the_reason_and_nothing_runs(
    tree: Path, policy: str, verdict: Verdict, says: str
) -> None:
    with ExecTool(tree, policy=policy) as tool, pytest.raises(Denied, match=says) as caught:
        tool.run_sync(["rm", "a.txt"])
    assert caught.value.decision.verdict is verdict  # type: ignore[attr-defined]
    assert (tree / "a.txt").exists()


def test_a_check_says_what_a_run_would_meet(tree: Path) -> None:
    with ExecTool(tree) as tool:
        assert tool.check(["cat", "a.txt"]).verdict is Verdict.ALLOW
        assert tool.check(["rm", "a.txt"]).verdict is Verdict.ASK
        assert tool.check_pipeline([["cat", "a.txt"], ["tee", "b"]]).verdict is Verdict.ASK
        assert tool.check_shell("cat a.txt > b").verdict is Verdict.ASK
        assert tool.check(["not-a-program"]).commands[0].program is None
    assert os.listdir(tree) == ["a.txt"]


def test_a_variable_that_the_policy_does_not_list_refuses_the_call(tree: Path) -> None:
    with ExecTool(tree) as tool:
        assert tool.run_sync(["cat", "a.txt"], env={"CI": "1"}).stages[0].exit_code == 0
        with pytest.raises(Denied, match="does not list SECRET; a call may set CI, NO_COLOR"):
            tool.run_sync(["cat", "a.txt"], env={"SECRET": "1"})


def test_the_environment_of_a_child_is_what_the_policy_says(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEPT", "1")
    monkeypatch.setenv("KEPT_TOO", "2")
    monkeypatch.setenv("TOKEN", "secret")
    policy = written(
        tree.parent,
        "programs: {path: [/usr/bin, /bin]}\n"
        "env: {inherit: [KEPT, 'KEPT_*'], set: {COLOUR: never}, from_call: [GIVEN]}",
    )
    with ExecTool(tree, policy=policy) as tool:
        result = tool.run_sync(["env"], env={"GIVEN": "3"})
    variables = dict(line.split("=", 1) for line in result.stdout.head.splitlines())
    mark = next(name for name in variables if name.startswith("AGENT_EXEC_CALL"))
    del variables[mark]
    assert {name: value for name, value in variables.items() if name != "PWD"} == {
        "KEPT": "1",
        "KEPT_TOO": "2",
        "COLOUR": "never",
        "GIVEN": "3",
        "PATH": "/usr/bin:/bin",
    }


def test_limits_are_those_of_the_policy(tree: Path) -> None:
    policy = written(tree.parent, "limits: {timeout_s: 0.1, output_bytes: 4}")
    with ExecTool(tree, policy=policy) as tool:
        assert tool.run_sync(["sleep", "100"]).ended == "timeout"
        assert tool.run_sync(["printf", "abcdefgh"]).stdout.dropped == 4
    with ExecTool(tree, policy=policy, timeout_s=20, output_bytes=8) as tool:
        assert tool.run_sync(["printf", "abcdefgh"]).stdout.dropped == 0


@pytest.mark.parametrize("text", [None, "sleep 100"])
def test_no_call_takes_longer_than_the_policy_lets_any(tree: Path, text: str | None) -> None:
    policy = written(tree.parent, "limits: {max_timeout_s: 0.1}")
    with ExecTool(tree, policy=policy, timeout_s=1000) as tool:
        for timeout_s in (None, 1000.0, float("inf")):
            result = (
                tool.run_sync(["sleep", "100"], timeout_s=timeout_s)
                if text is None
                else tool.run_shell_sync(text, timeout_s=timeout_s)
            )
            assert result.ended == "timeout"


def test_the_policy_may_give_every_text_to_a_shell(tree: Path) -> None:
    with ExecTool(tree, policy=written(tree.parent, "route: {shell: always}")) as tool:
        result = tool.run_shell_sync("echo a")
    assert result.stdout.head == "a\n"
    assert (result.route, result.route_reason) == ("shell", "route.shell of the policy is always")


def test_no_shell_runs_where_the_policy_has_none(tree: Path) -> None:
    with (
        ExecTool(tree, policy=written(tree.parent, "route: {shell: never}")) as tool,
        pytest.raises(Denied, match="it needs a real shell"),
    ):
        tool.run_shell_sync("for i in a; do echo $i; done")


def updated(tree: Path, on_update: str, *, text: bool) -> list[ToolResult]:
    """Three runs of a program, which is replaced after the second."""
    policy = written(tree.parent, f"templates: {{on_update: {on_update}, hot_after: 1}}")
    program = tree / "program"
    results = []
    with ExecTool(tree, policy=policy) as tool:
        for number in range(3):
            if number in (0, 2):
                made = tree / "made"
                made.write_text(f"#!/bin/sh\necho {number}\n")
                made.chmod(0o755)
                made.rename(program)
            run = tool.run_shell_sync("./program") if text else tool.run_sync(["./program"])
            results.append(run)
    return results


@pytest.mark.parametrize("text", [False, True], ids=["argv", "text"])
def test_a_program_that_was_replaced_runs_where_the_policy_recreates(
    tree: Path, *, text: bool
) -> None:
    results = updated(tree, "recreate", text=text)
    assert [result.stdout.head for result in results] == ["0\n", "0\n", "2\n"]
    assert results[2].stages[0].template == "recreated"


@pytest.mark.parametrize("on_update", ["ask", "deny"])
def test_a_program_that_was_replaced_does_not_run_where_the_policy_asks_or_denies(
    tree: Path, on_update: str
) -> None:
    for text in (False, True):
        with pytest.raises(Denied, match=f"replaced .*on_update of the policy is {on_update}"):
            updated(tree, on_update, text=text)


def test_a_program_that_is_replaced_within_a_text_ends_it_where_the_policy_asks(
    tree: Path,
) -> None:
    """Its first commands have run by then: there is nothing to ask about any more."""
    policy = written(tree.parent, "templates: {on_update: ask, hot_after: 1}")
    for name in ("program", "made"):
        (tree / name).write_text("#!/bin/sh\necho ran\n")
        (tree / name).chmod(0o755)
    with ExecTool(tree, policy=policy) as tool:
        tool.run_sync(["./program"])
        result = tool.run_shell_sync("mv made program && ./program")
    assert (result.ended, result.stdout.head) == ("refused", "")
    assert "on_update of the policy is ask" in str(result.error)


def test_a_policy_that_is_wrong_makes_no_tool(tree: Path) -> None:
    with pytest.raises(PolicyError, match=r"policy\.yaml:3:1: defalt: there is no key"):
        ExecTool(tree, policy=written(tree.parent, "defalt: ask"))
