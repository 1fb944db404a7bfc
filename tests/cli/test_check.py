"""``agent-exec check`` and ``policy``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from in_process import InProcess

Check = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def check(agent_exec: InProcess, tmp_path: Path) -> Check:
    def call(
        *words: str, given: bytes = b"", command: str = "check"
    ) -> subprocess.CompletedProcess[bytes]:
        return agent_exec(*command.split(), *words, input=given, cwd=tmp_path)

    return call


def test_as_a_process(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "agent_exec", "check", "--json", "--", "rm", "a"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=50,
    )
    assert (done.returncode, done.stderr) == (10, b"")
    assert json.loads(done.stdout)["verdict"] == "ask"


@pytest.mark.parametrize(
    ("words", "status", "verdict"),
    [
        (["--", "cat", "a"], 0, "allow"),
        (["--", "rm", "a"], 10, "ask"),
        (["-p", "read-only", "--", "rm", "a"], 11, "deny"),
        (["-c", "cat a | sort"], 0, "allow"),
        (["--", "bash", "-c", "rm a"], 10, "ask"),
        (["-p", "strict", "-c", "for i in a; do :; done"], 11, "deny"),
    ],
)
def test_the_exit_status_is_the_verdict(
    check: Check, words: list[str], status: int, verdict: str
) -> None:
    done = check("--json", *words)
    assert (done.returncode, done.stderr) == (status, b"")
    assert json.loads(done.stdout)["verdict"] == verdict


def test_the_whole_object(check: Check) -> None:
    done = check("--json", "-c", "timeout 5 cat a > b")
    assert json.loads(done.stdout) == {
        "id": None,
        "verdict": "ask",
        "route": "direct",
        "route_reason": None,
        "commands": [
            {
                "argv": ["timeout", "5", "cat", "a"],
                "program": "/usr/bin/timeout",
                "of": None,
                "verdict": "ask",
                "effects": [
                    {"kind": "execute", "argv": ["cat", "a"]},
                    {"kind": "write", "path": "b"},
                ],
                "rules": [],
            },
            {
                "argv": ["cat", "a"],
                "program": "/usr/bin/cat",
                "of": 0,
                "verdict": "allow",
                "effects": [{"kind": "read", "path": "a"}],
                "rules": ["reads"],
            },
        ],
        "because": ["timeout writes b: a redirection"],
        "error": None,
    }


def batch(check: Check, *lines: Any, policy: str = "default") -> list[dict[str, Any]]:
    """The answers to some lines; one that is bytes goes as it is."""
    text = b"".join(
        (line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines
    )
    done = check("-p", policy, "--batch", "-", given=text)
    assert (done.returncode, done.stderr) == (0, b"")
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_batch_is_answered_line_by_line_by_id(check: Check) -> None:
    answers = batch(
        check,
        {"id": 1, "argv": ["cat", "a"]},
        {"id": "two", "pipeline": [["cat", "a"], ["tee", "b"]]},
        {"id": None, "command": "cat a; rm a", "cwd": ".", "env": {}, "stdin": ""},
        {"id": 4, "argv": ["cat", "a"], "env": {"CI": "1"}},
        {"id": 5, "argv": ["cat", "a"], "env": {"LD_PRELOAD": "x"}},
    )
    assert [(each["id"], each["verdict"]) for each in answers] == [
        (1, "allow"),
        ("two", "ask"),
        (None, "ask"),
        (4, "allow"),
        (5, "deny"),
    ]
    assert [command["argv"] for command in answers[1]["commands"]] == [["cat", "a"], ["tee", "b"]]


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b"\xff",
        b'"' + b"[" * 100_000,
        {"id": 7},
        {"id": 7, "argv": []},
        {"id": 7, "argv": "cat a"},
        {"id": 7, "argv": ["cat", 1]},
        {"id": 7, "argv": ["a\0b"]},
        {"id": 7, "argv": ["cat"], "command": "cat"},
        {"id": 7, "pipeline": [[]]},
        {"id": 7, "pipeline": "cat"},
        {"id": 7, "command": ["cat"]},
        {"id": 7, "command": "a\0b"},
        {"id": 7, "argv": ["cat"], "env": {"A": 1}},
        {"id": 7, "argv": ["cat"], "env": ["A=1"]},
        {"id": 7, "argv": ["cat"], "cwd": 1},
        {"id": 7, "argv": ["cat"], "timeout": 1},
    ],
    ids=lambda line: str(line)[:50],
)
def test_a_line_that_makes_no_sense_is_denied(check: Check, line: Any) -> None:
    (answer,) = batch(check, line, policy="open")
    assert (answer["verdict"], answer["route"], answer["commands"]) == ("deny", None, [])
    assert answer["error"]
    assert answer["id"] == (7 if isinstance(line, dict) else None)


def test_a_file_of_lines_is_read(check: Check, tmp_path: Path) -> None:
    (tmp_path / "calls").write_text('{"id": 1, "argv": ["true"]}\n\n{"id": 2, "argv": ["rm", "a"]}')
    done = check("--batch", "calls")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [1, 2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-p", "no-such", "--", "true"], "there is no policy 'no-such'"),
        (["-p", "./gone.yaml", "--", "true"], "./gone.yaml: No such file or directory"),
        (["-w", "gone", "--", "true"], "is no directory"),
        (["--batch", "gone"], "gone: No such file or directory"),
    ],
)
def test_without_a_decision_it_says_why(check: Check, words: list[str], message: str) -> None:
    done = check(*words)
    assert (done.returncode, done.stdout) == (125, b"")
    assert message in done.stderr.decode()


def test_people_read_the_commands_their_effects_and_the_reasons(check: Check) -> None:
    done = check("-c", "cat a > 'b\tc'")
    assert done.stdout.decode() == (
        "ask, without a shell\n"
        "  ask: cat a\n"
        "    read a\n"
        "    write 'b\\tc' (a redirection)\n"
        "because cat writes b\\tc: a redirection\n"
    )


class TestPolicy:
    """``agent-exec policy``."""

    def test_lint_says_where(self, check: Check, tmp_path: Path) -> None:
        (tmp_path / "p.yaml").write_text(
            "version: 1\nrules:\n  - {id: a, verdict: deny, because: x, command: [a b]}\n"
        )
        done = check("./p.yaml", command="policy lint")
        assert done.returncode == 1
        assert done.stdout.startswith(b"./p.yaml:3:5: warning: rule a: can never match")

    def test_an_error_is_on_stderr(self, check: Check, tmp_path: Path) -> None:
        (tmp_path / "p.yaml").write_text("version: 1\ndefalt: ask\n")
        done = check("./p.yaml", command="policy lint")
        assert (done.returncode, done.stdout) == (125, b"")
        assert done.stderr.startswith(b"agent-exec: ./p.yaml:2:1: defalt: ")

    def test_a_table_of_cases(self, check: Check, tmp_path: Path) -> None:
        (tmp_path / "cases.yaml").write_text(
            "- {argv: [cat, a], verdict: allow}\n"
            "- {command: 'cat a > b', verdict: allow}\n"
            "- {command: 'for i in a; do :; done', verdict: ask, route: direct}\n"
        )
        done = check("default", "--cases", "cases.yaml", command="policy test")
        assert done.returncode == 1
        second, third = done.stdout.decode().splitlines()
        assert second == (
            "cases.yaml: case 2: allow was expected, it is ask: cat writes b: a redirection"
        )
        assert "case 3: the route direct was expected, it is shell: " in third

    def test_cases_that_hold(self, check: Check, tmp_path: Path) -> None:
        (tmp_path / "cases.yaml").write_text("- {pipeline: [[cat, a], [sort]], verdict: allow}\n")
        done = check("strict", "--cases", "cases.yaml", command="policy test")
        assert (done.returncode, done.stdout) == (0, b"")
        assert done.stderr.endswith(b"1 of 1 cases do\n")

    @pytest.mark.parametrize(
        "table", ["a: b", "- {argv: [a]}", "- {verdict: allow}", "- {argv: [1], verdict: ask}", "["]
    )
    def test_a_table_that_is_none(self, check: Check, tmp_path: Path, table: str) -> None:
        (tmp_path / "cases.yaml").write_text(table)
        done = check("default", "--cases", "cases.yaml", command="policy test")
        assert (done.returncode, done.stdout) == (125, b"")
        assert b"agent-exec: cases.yaml: " in done.stderr

    def test_import_prints_a_policy_that_can_be_used(self, check: Check, tmp_path: Path) -> None:
        (tmp_path / "opencode.json").write_text(
            '{"permission": {"bash": {"rm *": "deny", "cat": "allow"}}}'
        )
        done = check("--from", "opencode", "opencode.json", command="policy import")
        assert done.returncode == 0
        assert b"not carried over: permission.bash 'cat'" in done.stderr
        (tmp_path / "made.yaml").write_bytes(done.stdout)
        assert check("-p", "./made.yaml", "--", "rm", "a").returncode == 11

    def test_show_and_schema_are_json(self, check: Check) -> None:
        shown = json.loads(check("strict", "--json", command="policy show").stdout)
        assert [rule["id"] for rule in shown["rules"]][:2] == ["reads", "secrets"]
        schema = json.loads(check(command="policy schema").stdout)
        assert schema["required"] == ["version"]
