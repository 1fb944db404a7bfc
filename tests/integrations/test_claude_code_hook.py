"""The hook as Claude Code runs it: a process, JSON in, a decision or exit status 2 out."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from subprocess import CompletedProcess
from typing import Any

import pytest
from daemon_host import Home

from agent_exec.integrations.claude_code import hook

AgentExec = Callable[..., CompletedProcess[str]]

EVENT = {
    "session_id": "s",
    "hook_event_name": "PreToolUse",
    "tool_name": "Bash",
    "tool_input": {"command": "ls", "description": "Look", "timeout": 300_000, "new_field": [1]},
}


def event(home: Home, command: str, **given: Any) -> dict[str, Any]:
    tool_input = {"command": command} | given
    return {**EVENT, "cwd": str(home.worktree), "tool_input": tool_input}


def run_hook(agent_exec: AgentExec, given: bytes, *words: str) -> CompletedProcess[str]:
    return agent_exec("hook", "claude-code", *words, input=given)


def decided(agent_exec: AgentExec, given: dict[str, Any], *words: str) -> dict[str, Any]:
    done = run_hook(agent_exec, json.dumps(given).encode(), *words)
    assert (done.returncode, done.stderr) == (0, "")
    answer: dict[str, Any] = json.loads(done.stdout)["hookSpecificOutput"]
    assert answer["hookEventName"] == "PreToolUse"
    return answer


@pytest.mark.parametrize("with_daemon", [True, False], ids=["daemon", "alone"])
def test_what_may_run_runs_through_agent_exec(
    home: Home, agent_exec: AgentExec, with_daemon: bool
) -> None:
    if with_daemon:
        home.serve()
    (home.worktree / "it's here").touch()
    given = {**EVENT, "cwd": str(home.worktree)}
    answer = decided(agent_exec, given)
    assert answer["permissionDecision"] == "allow"
    new = answer["updatedInput"]
    assert {**new, "command": "ls"} == EVENT["tool_input"]
    assert "--timeout 300" in new["command"]
    shown = subprocess.run(
        ["bash", "-c", new["command"]],
        cwd=home.worktree,
        env=home.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert (shown.stdout, shown.stderr) == ("it's here\n", "")
    if with_daemon:
        with home.connect() as client:
            assert client.request("status")["connections_served"] == 2
    else:
        assert home.running() == []


def test_a_command_works_in_the_directory_of_the_hosts_shell(
    home: Home, agent_exec: AgentExec
) -> None:
    (home.worktree / "sub").mkdir()
    (home.worktree / "sub" / "file").touch()
    given = event(home, "cd sub && ls")
    command = decided(agent_exec, given)["updatedInput"]["command"]
    shown = subprocess.run(
        ["bash", "-c", f"{command}; pwd"],
        cwd=home.worktree,
        env=home.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == f"file\n{home.worktree}/sub\n"


def test_a_background_command_has_the_longest_time(home: Home, agent_exec: AgentExec) -> None:
    answer = decided(agent_exec, event(home, "ls", run_in_background=True))
    assert answer["updatedInput"]["run_in_background"] is True
    assert "--timeout inf" in answer["updatedInput"]["command"]


def test_what_is_asked_about_is_asked_with_its_reasons(home: Home, agent_exec: AgentExec) -> None:
    answer = decided(agent_exec, event(home, "rm -rf ~"))
    assert answer["permissionDecision"] == "ask"
    assert "rm deletes" in answer["permissionDecisionReason"]
    assert "updatedInput" not in answer


def test_what_is_denied_says_what_to_do_instead(home: Home, agent_exec: AgentExec) -> None:
    answer = decided(agent_exec, event(home, "cat .env"), "--policy", "strict")
    assert answer["permissionDecision"] == "deny"
    assert "another way" in answer["permissionDecisionReason"]


def test_a_rewritten_command_is_not_allowed_again(home: Home, agent_exec: AgentExec) -> None:
    new = decided(agent_exec, event(home, "ls"))["updatedInput"]["command"]
    answer = decided(agent_exec, event(home, new), "--policy", "open")
    assert answer["permissionDecision"] == "deny"
    assert "run the command itself" in answer["permissionDecisionReason"]


@pytest.mark.parametrize("tool", ["Read", "Edit", "mcp__x__Bash"])
def test_other_tools_are_left_alone(home: Home, agent_exec: AgentExec, tool: str) -> None:
    done = run_hook(agent_exec, json.dumps({**EVENT, "tool_name": tool}).encode())
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="cut-off"),
        pytest.param(b"[]", id="a-list"),
        pytest.param(b"\xff\xff", id="no-text"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b'{"tool_input": {"command": "ls"}}', id="no-tool"),
        pytest.param(b'{"tool_name": 7}', id="a-number"),
        pytest.param(b'{"hook_event_name": "PostToolUse", "tool_name": "Bash"}', id="other-event"),
    ],
)
def test_what_is_no_event_blocks(home: Home, agent_exec: AgentExec, given: bytes) -> None:
    done = run_hook(agent_exec, given)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("agent-exec hook claude-code: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "tool_input",
    [
        pytest.param(None, id="none"),
        pytest.param({}, id="no-command"),
        pytest.param({"command": ["ls"]}, id="a-list"),
        pytest.param({"command": "ls \0"}, id="nul"),
        pytest.param({"command": "\ud800"}, id="no-character"),
    ],
)
def test_a_call_without_a_command_is_not_allowed(
    home: Home, agent_exec: AgentExec, tool_input: object
) -> None:
    given = {**EVENT, "cwd": str(home.worktree), "tool_input": tool_input}
    assert decided(agent_exec, given)["permissionDecision"] in ("deny", "ask")


@pytest.mark.parametrize("cwd", ["here", 5, "/a\0b", "/\ud800"])
def test_a_cwd_that_is_none_is_not_allowed(agent_exec: AgentExec, cwd: object) -> None:
    answer = decided(agent_exec, {**EVENT, "cwd": cwd})
    assert answer["permissionDecision"] == "deny"
    assert "no absolute path" in answer["permissionDecisionReason"]


def test_a_time_that_no_clock_counts_is_as_long_as_it_takes(
    home: Home, agent_exec: AgentExec
) -> None:
    assert decided(agent_exec, event(home, "ls", timeout=10**400))["permissionDecision"] == "allow"


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("--policy", "nosuch"), id="policy"),
        pytest.param(("--policy", "./broken.yaml"), id="broken-policy"),
        pytest.param(("--worktree", "/nowhere"), id="worktree"),
    ],
)
def test_without_a_judgement_a_person_is_asked(
    home: Home, agent_exec: AgentExec, words: tuple[str, ...]
) -> None:
    (home.worktree / "broken.yaml").write_text("version: 1\nrules: 7\n")
    answer = decided(agent_exec, event(home, "ls"), *words)
    assert answer["permissionDecision"] == "ask"
    assert "could not judge" in answer["permissionDecisionReason"]


def test_odd_options_do_not_let_anything_pass(home: Home, agent_exec: AgentExec) -> None:
    done = run_hook(agent_exec, json.dumps(EVENT).encode(), "--polcy", "open")
    assert done.returncode == 2


def test_a_daemon_that_hangs_is_not_waited_for(home: Home, agent_exec: AgentExec) -> None:
    os.mkdir(home.places.runtime, 0o700)
    with socket.socket(socket.AF_UNIX) as hung:
        hung.bind(home.places.socket)
        hung.listen()
        answer = decided(agent_exec, event(home, "ls"))
    assert answer["permissionDecision"] == "allow"


def test_what_takes_too_long_is_asked(monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    began = threading.Event()

    def late(*_: object, **__: object) -> None:
        began.set()
        signal.raise_signal(signal.SIGALRM)

    before = signal.getsignal(signal.SIGALRM)
    monkeypatch.setattr(hook, "rule", late)
    monkeypatch.setattr(sys, "stdin", _stdin())
    try:
        assert hook.main(hook.HookOptions()) == 0
    finally:
        signal.signal(signal.SIGALRM, before)
    assert began.is_set()
    answer = json.loads(capfd.readouterr().out)["hookSpecificOutput"]
    assert answer["permissionDecision"] == "ask"


@pytest.mark.parametrize("error", [ValueError("odd"), MemoryError(), KeyboardInterrupt()])
def test_a_mistake_of_ours_blocks(
    monkeypatch: pytest.MonkeyPatch, capfd: Any, error: BaseException
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    before = signal.getsignal(signal.SIGALRM)
    monkeypatch.setattr(hook, "rule", fail)
    monkeypatch.setattr(sys, "stdin", _stdin())
    try:
        assert hook.main(hook.HookOptions()) == 2
    finally:
        signal.signal(signal.SIGALRM, before)
    assert "nothing was judged" in capfd.readouterr().err


def test_an_answer_that_cannot_be_written_blocks(home: Home, agent_exec: AgentExec) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "agent_exec", "hook", "claude-code"],
        input=json.dumps(event(home, "ls")).encode(),
        stdout=write_end,
        stderr=subprocess.PIPE,
        env=home.environ,
        check=False,
    )
    os.close(write_end)
    assert done.returncode == 2


def test_reasons_are_lines_that_no_terminal_obeys(home: Home, agent_exec: AgentExec) -> None:
    answer = decided(agent_exec, event(home, "rm 'a\x1b[2Jb\u202ec'"))
    reason = answer["permissionDecisionReason"]
    assert reason.isprintable()


def test_the_worktree_is_the_project_or_the_repository(
    home: Home, agent_exec: AgentExec, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home.worktree / ".git").mkdir()
    (home.worktree / "a" / "b").mkdir(parents=True)
    given = {**event(home, "ls"), "cwd": str(home.worktree / "a" / "b")}
    words = shlex.split(decided(agent_exec, given)["updatedInput"]["command"])
    assert words[words.index("-w") + 1] == str(home.worktree)
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(home.folder))
    words = shlex.split(decided(agent_exec, given)["updatedInput"]["command"])
    assert words[words.index("-w") + 1] == str(home.folder)


def _stdin() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(json.dumps({**EVENT, "cwd": "/"}).encode()))
