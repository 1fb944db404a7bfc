"""Decisions on calls that somebody else would run, and on calls that run nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from policy.values import policy as policy_of

from agent_exec.model.call import ToolCall
from agent_exec.model.decision import Decision, Executor, Route, Verdict
from agent_exec.runtime.checker import Checker


@pytest.fixture(scope="module")
def worktree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("worktree")
    (folder / "a").write_text("text")
    return folder


def decided(worktree: Path, text: str, executor: Executor) -> Decision:
    return Checker(worktree, "default").check_call(ToolCall(command=text), executor=executor)


@pytest.mark.parametrize("text", ["", "# only this", "\n\n", "$NO_SUCH_VARIABLE"])
def test_a_text_that_runs_nothing_is_allowed(worktree: Path, text: str) -> None:
    decision = decided(worktree, text, Executor.OURS)
    assert (decision.verdict, decision.because) == (Verdict.ALLOW, ("nothing would run",))


@pytest.mark.parametrize("text", ["cat a", "cat a | sort", "cat a && head -1 a", "cat '$X'"])
def test_a_host_may_run_what_only_reads(worktree: Path, text: str) -> None:
    assert decided(worktree, text, Executor.HOST).verdict is Verdict.ALLOW


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("$X", id="a-command"),
        pytest.param("cat $X", id="an-operand"),
        pytest.param('cat "a$X"', id="quoted"),
        pytest.param("cat < $X", id="a-file"),
        pytest.param("sh -c 'cat $X'", id="inside"),
        pytest.param("cat $1", id="a-parameter"),
        pytest.param("no-such-program a", id="a-program-that-the-host-may-have"),
    ],
)
def test_what_only_the_host_knows_is_asked(worktree: Path, text: str) -> None:
    assert decided(worktree, text, Executor.HOST).verdict is Verdict.ASK


def test_what_the_text_itself_sets_is_known_for_a_host_too(worktree: Path) -> None:
    text = "export TZ=a && cat $TZ"
    assert decided(worktree, text, Executor.OURS).verdict is Verdict.ALLOW
    assert decided(worktree, text, Executor.HOST).verdict is Verdict.ALLOW


BASH = ToolCall(stages=(("bash", "-c", "cat a"),))
LOOP = ToolCall(stages=(("bash", "-c", "for i in a; do cat $i; done"),))


def test_a_rule_on_a_shell_counts_where_the_shell_does_not_run(worktree: Path) -> None:
    everything = {"verdict": "allow"}
    for verdict in ("ask", "deny"):
        no_bash = {"verdict": verdict, "command": ["bash"]}
        checker = Checker(worktree, policy_of(everything, no_bash))
        decision = checker.check_call(BASH)
        assert (decision.verdict, decision.route) == (verdict, Route.DIRECT)
        assert decision.because == ("bash: so it is",)
    assert Checker(worktree, policy_of(everything)).check_call(BASH).verdict is Verdict.ALLOW


def test_words_of_a_shell_that_need_one_say_so(worktree: Path) -> None:
    checker = Checker(worktree, "default")
    decision = checker.check_call(LOOP)
    assert (decision.route, decision.route_reason) == (Route.SHELL, "a compound command")
    never = policy_of({"verdict": "allow"}, route={"shell": "never"})
    assert Checker(worktree, never).check_call(LOOP).verdict is Verdict.DENY
