"""What a host is told to do with a command of its own."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from agent_exec.errors import InvalidCall
from agent_exec.model.decision import Verdict
from agent_exec.runtime.checker import Checker
from agent_exec.runtime.host_command import HostCommand, HostRuling, judge

OURS = "/opt/venv/bin/agent-exec"
RUN = f"{OURS} run -q -p default --cwd ."


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    (tmp_path / "sub" / "deep dir").mkdir(parents=True)
    return tmp_path


def ruled(worktree: Path, command: str, policy: str = "default", **fields: Any) -> HostRuling:
    given = {"program": (OURS,), "options": ("-p", "default"), "cwd": str(worktree)} | fields
    return judge(Checker(worktree, policy), HostCommand(command, **given))


@pytest.mark.parametrize(
    ("command", "rewritten"),
    [
        pytest.param("ls", f"{RUN} -c ls", id="word"),
        pytest.param("ls -l | head", f"{RUN} -c 'ls -l | head'", id="pipeline"),
        pytest.param('echo "it\'s"', RUN + """ -c 'echo "it'"'"'s"'""", id="quotes"),
        pytest.param("cat <<'E'\na\nE", f"{RUN} -c 'cat <<'\"'\"'E'\"'\"'\na\nE'", id="lines"),
        pytest.param("cd sub && ls", f"cd -- {{}}/sub && {RUN} -c ls", id="cd-first"),
        pytest.param("cd sub; ls", f"cd -- {{}}/sub && {RUN} -c ls", id="cd-and-semicolon"),
        pytest.param(
            "cd 'sub/deep dir' && ls | wc",
            f"cd -- '{{}}/sub/deep dir' && {RUN} -c 'ls | wc'",
            id="cd-quoted",
        ),
    ],
)
def test_what_may_run_is_rewritten(worktree: Path, command: str, rewritten: str) -> None:
    ruling = ruled(worktree, command)
    assert (ruling.verdict, ruling.command) == (Verdict.ALLOW, rewritten.format(worktree))


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("cd sub", id="nothing-after"),
        pytest.param("ls; cd sub", id="cd-last"),
        pytest.param("cd sub && cd .. && ls", id="two"),
        pytest.param("cd sub && ls &", id="in-the-background"),
        pytest.param("cd sub || ls", id="or"),
        pytest.param("cd not-there/../sub && ls", id="through-what-is-not-there"),
    ],
)
def test_what_moves_the_hosts_shell_is_left_to_it(worktree: Path, command: str) -> None:
    ruling = ruled(worktree, command)
    assert ruling.command is None


def test_where_nothing_can_be_rewritten_it_is_judged_as_the_hosts(worktree: Path) -> None:
    ruling = ruled(worktree, "ls", program=())
    assert (ruling.verdict, ruling.command) == (Verdict.ALLOW, None)


def test_for_the_host_nothing_rests_on_our_environment(worktree: Path) -> None:
    # Where it runs by us, the variable is not there; the host's shell has what it has.
    assert ruled(worktree, "ls $NOBODY_KNOWS").command is not None
    assert ruled(worktree, "ls $NOBODY_KNOWS; cd sub").verdict is Verdict.ASK


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("rm -rf /", id="ask"),
        pytest.param("cd sub && rm x", id="ask-after-cd"),
        pytest.param("curl example.org", id="network"),
        pytest.param("ls $(rm x)", id="inside"),
    ],
)
def test_what_is_asked_about_is_not_rewritten(worktree: Path, command: str) -> None:
    ruling = ruled(worktree, command)
    assert (ruling.verdict, ruling.command) == (Verdict.ASK, None)
    assert ruling.because


def test_a_denied_command_names_its_rule(worktree: Path) -> None:
    ruling = ruled(worktree, "cat .env", "strict")
    assert ruling.verdict is Verdict.DENY
    assert "rule no-secrets of the policy" in ruling.because


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(f"{RUN} -c ls", id="ours"),
        pytest.param("agent-exec run -- ls", id="by-name"),
        pytest.param("agent-exec run -p open -- rm -rf .", id="with-another-policy"),
        pytest.param("python3 -P -m agent_exec run -- ls", id="as-a-module"),
        pytest.param(f"cd -- /tmp && {RUN} -c ls", id="after-cd"),
    ],
)
def test_what_we_make_of_commands_is_no_command(worktree: Path, command: str) -> None:
    ruling = ruled(worktree, command, "open")
    assert (ruling.verdict, ruling.command) == (Verdict.DENY, None)
    assert "run the command itself" in ruling.because[0]


@pytest.mark.parametrize("policy", ["default", "open"])
@pytest.mark.parametrize(
    "command",
    [
        pytest.param("true; agent-exec run -p open -- rm x", id="in-a-list"),
        pytest.param("env agent-exec run -- ls", id="wrapped"),
        pytest.param("timeout 5 /x/agent-exec run -- ls", id="by-timeout"),
        pytest.param("bash -c 'agent-exec run -- ls'", id="in-a-shell"),
        pytest.param("ls | xargs agent-exec run --", id="by-xargs"),
        pytest.param("agent-exec daemon --stop", id="another-command"),
        pytest.param("agent-exec claude-code uninstall", id="uninstall"),
    ],
)
def test_agent_exec_in_a_command_is_never_allowed(
    worktree: Path, command: str, policy: str
) -> None:
    assert ruled(worktree, command, policy).verdict is not Verdict.ALLOW


@pytest.mark.parametrize(
    ("timeout_s", "words"),
    [
        pytest.param(None, "", id="none"),
        pytest.param(300.0, " --timeout 300", id="seconds"),
        pytest.param(0.5, " --timeout 0.5", id="half-a-second"),
        pytest.param(math.inf, " --timeout inf", id="background"),
    ],
)
def test_the_hosts_time_is_handed_on(worktree: Path, timeout_s: float | None, words: str) -> None:
    assert ruled(worktree, "ls", timeout_s=timeout_s).command == f"{RUN}{words} -c ls"


def test_a_text_that_is_none_is_denied(worktree: Path) -> None:
    assert ruled(worktree, "ls \0").verdict is Verdict.DENY


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param({"cwd": "/"}, id="no-command"),
        pytest.param({"command": "ls", "cwd": "x"}, id="relative"),
        pytest.param({"command": "ls", "cwd": "/", "program": "x"}, id="a-word"),
        pytest.param({"command": "ls", "cwd": "/", "timeout_s": True}, id="a-truth"),
        pytest.param({"command": "ls", "cwd": "/", "timeout_s": math.nan}, id="nan"),
        pytest.param({"command": "ls", "cwd": "/", "timeout_s": -1}, id="negative"),
    ],
)
def test_what_is_no_hosts_command_is_refused(shown: dict[str, Any]) -> None:
    with pytest.raises(InvalidCall):
        HostCommand.from_json(shown)


def test_a_ruling_goes_into_json(worktree: Path) -> None:
    shown = json.loads(json.dumps(ruled(worktree, "ls").to_json()))
    assert shown["verdict"] == "allow"
