"""Warnings about policies that are right, and hardly meant so."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_exec.policy.lint import lint

HEAD = "version: 1\nextends: [default]\n"


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        pytest.param(
            "{verdict: deny, command: [git push]}",
            "can never match: no program is called 'git push'; write [git, push]",
            id="a-blank",
        ),
        pytest.param(
            "{verdict: deny, command: ['git*']}",
            "can never match: 'git*' is a whole word, not a pattern",
            id="a-star",
        ),
        pytest.param(
            "{verdict: ask, command: [git, psuh]}",
            "git has no sub-command psuh that is known; did you mean push?",
            id="a-sub-command",
        ),
        pytest.param(
            "{verdict: ask, effects: [network], paths: [worktree]}",
            "can never match: effects of the kind network have no path",
            id="paths-of-no-path",
        ),
        pytest.param(
            "{verdict: allow, effects: [write], paths: [/no/such/place]}",
            "there is no /no/such/place on this machine",
            id="no-such-path",
        ),
        pytest.param(
            "{verdict: allow, effects: [read], paths: [worktree]}",
            "adds nothing: reads says the same of more",
            id="said-already",
        ),
        pytest.param(
            "{verdict: allow, effects: [read], paths: [secrets]}",
            "never decides: secrets is stricter, and covers all that it covers",
            id="a-stricter-rule",
        ),
        pytest.param(
            "{verdict: allow, effects: [unknown]}",
            "allows effects of the kind unknown of every command",
            id="unknown",
        ),
        pytest.param(
            "{verdict: allow}",
            "allows everything that no other rule asks about or denies",
            id="everything",
        ),
    ],
)
def test_a_rule_is_warned_about(tmp_path: Path, rule: str, message: str) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(f"{HEAD}rules:\n  - {rule.replace('{', '{id: a, because: x, ')}\n")
    (warning,) = lint(str(file))
    assert (warning.where, warning.message) == (f"{file}:4:5", f"rule a: {message}")


def test_what_is_not_in_force_is_said(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(f"{HEAD}sessions: {{max: 1}}\nsandbox: {{network: allow}}\n")
    assert [warning.message for warning in lint(str(file))] == [
        "sessions.max is not in force in this release",
    ]


def test_a_rule_that_is_needed_is_not_warned_about(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(
        f"{HEAD}rules:\n  - {{id: a, verdict: deny, because: x, command: [git, push]}}\n"
    )
    assert lint(str(file)) == ()
