"""Which rules give the verdict."""

from __future__ import annotations

from typing import Any

import pytest
from policy.values import WORKTREE, command, effect, judged, policy

from agent_exec.model.analysis import Analysed
from agent_exec.model.decision import Decision, Executor, Route, Verdict
from agent_exec.model.effect import Effect, EffectKind
from agent_exec.policy.decide import Planned

READS = {"verdict": "allow", "effects": ["read"], "paths": ["worktree"]}
PUSH = {"verdict": "ask", "command": ["git", "push"]}
GIT = {"verdict": "allow", "command": ["git", "push"]}
EVERYTHING = {"verdict": "allow"}


@pytest.mark.parametrize(
    ("rules", "found", "verdict"),
    [
        pytest.param([READS], command("cat a", effect("read", "a")), "allow", id="every-effect"),
        pytest.param([READS], command("true"), "allow", id="no-effect"),
        pytest.param([], command("true"), "ask", id="no-rule-that-allows"),
        pytest.param(
            [READS], command("x", effect("read", "a"), effect("write", "a")), "ask", id="one-open"
        ),
        pytest.param([READS], command("x", effect("read", "/etc/passwd")), "ask", id="outside"),
        pytest.param([READS], command("x", effect("read", "../a")), "ask", id="dots-lead-out"),
        pytest.param([READS], command("x", effect("read", "b/../a")), "allow", id="dots-inside"),
        pytest.param([READS], command("x", effect("read", "/work-tree2/a")), "ask", id="a-prefix"),
        pytest.param([READS], command("x", effect("read", "/Work-Tree/a")), "ask", id="other-case"),
        pytest.param([READS], command("x", effect("read")), "ask", id="a-path-nobody-knows"),
        pytest.param([READS], command("x", effect("unknown")), "ask", id="unknown"),
        pytest.param(
            [{"verdict": "allow", "paths": ["worktree"]}],
            command("x", effect("network")),
            "ask",
            id="paths-allow-only-effects-on-files",
        ),
        pytest.param([EVERYTHING], command("x", effect("unknown")), "allow", id="everything"),
        pytest.param(
            [EVERYTHING], command("agent-exec run", effect("unknown")), "ask", id="ourselves"
        ),
        pytest.param(
            [GIT], command("git push", effect("network"), name=("git", "push")), "allow", id="named"
        ),
        pytest.param([GIT], command("git pushx", effect("network")), "ask", id="half-a-word"),
        pytest.param(
            [GIT],
            command("git -c x push", effect("execute"), name=("git", "push")),
            "ask",
            id="to-allow-no-option-may-stand-between",
        ),
        pytest.param(
            [GIT], command("git push", effect("write", "/etc/x"), own=0), "ask", id="redirected"
        ),
        pytest.param(
            [GIT], command("git push", patterns=frozenset({1})), "ask", id="a-glob-is-no-word"
        ),
        pytest.param([GIT], command("git push", certain=False), "ask", id="words-may-be-missing"),
        pytest.param([EVERYTHING, PUSH], command("git push"), "ask", id="strictest-wins"),
        pytest.param(
            [EVERYTHING, PUSH], command("git -C sub push origin"), "ask", id="options-between"
        ),
        pytest.param([EVERYTHING, PUSH], command("/usr/bin/git push"), "ask", id="by-path"),
        pytest.param([EVERYTHING, PUSH], command("GIT push"), "ask", id="another-case-of-a-name"),
        pytest.param([EVERYTHING, PUSH], command("git status"), "allow", id="not-that-one"),
        pytest.param(
            [EVERYTHING, PUSH],
            command("git pus?", patterns=frozenset({1})),
            "ask",
            id="a-glob-that-may-match",
        ),
        pytest.param(
            [EVERYTHING, {"verdict": "deny", "effects": ["delete"], "paths": ["/work-tree/a"]}],
            command("rm -r .", effect("delete", ".")),
            "deny",
            id="what-holds-it-is-deleted",
        ),
        pytest.param(
            [EVERYTHING, {"verdict": "deny", "effects": ["read"], "paths": ["/work-tree/a"]}],
            command("ls .", effect("read", ".")),
            "allow",
            id="what-holds-it-is-read",
        ),
        pytest.param(
            [EVERYTHING, {"verdict": "deny", "effects": ["write"], "paths": ["/Data"]}],
            command("x", effect("write", "/data/b")),
            "deny",
            id="to-deny-case-does-not-count",
        ),
        pytest.param(
            [READS, {"verdict": "deny", "effects": ["read"], "paths": ["secrets"]}],
            command("cat .ENV", effect("read", ".ENV")),
            "deny",
            id="a-secret",
        ),
        pytest.param(
            [EVERYTHING, {"verdict": "deny", "effects": ["network"]}],
            command("curl x", effect("network")),
            "deny",
            id="a-kind",
        ),
        pytest.param(
            [EVERYTHING, {"verdict": "ask", "effects": ["delete"], "paths": ["above"]}],
            command("rm a", effect("delete", "a")),
            "allow",
            id="above-is-not-beneath",
        ),
    ],
)
def test_one_command(rules: list[dict[str, Any]], found: Analysed, verdict: str) -> None:
    assert judged(policy(*rules), found).verdict == verdict


def test_a_link_is_judged_by_where_it_leads() -> None:
    found = command("cat a", effect("read", "a"))
    decision = judged(policy(READS), found, links={f"{WORKTREE}/a": "/etc/shadow"})
    assert decision.verdict is Verdict.ASK
    assert decision.because == ("cat reads a (/etc/shadow); allowed beneath worktree",)


def test_a_link_to_a_secret_is_one() -> None:
    rules = policy(READS, {"verdict": "deny", "effects": ["read"], "paths": ["secrets"]})
    found = command("cat a", effect("read", "a"))
    assert judged(rules, found, links={f"{WORKTREE}/a": f"{WORKTREE}/.env"}).verdict == "deny"


def test_a_secret_that_is_a_link_to_a_file_without_such_a_name_is_one() -> None:
    rules = policy(READS, {"verdict": "deny", "effects": ["read"], "paths": ["secrets"]})
    found = command("cat .env", effect("read", ".env"))
    assert judged(rules, found, links={f"{WORKTREE}/.env": f"{WORKTREE}/x"}).verdict == "deny"


def test_a_program_that_is_not_trusted_is_run() -> None:
    decision = judged(policy(READS), command("./rg x", name=("rg",)), distrusted=("./rg",))
    assert decision.verdict is Verdict.ASK
    assert [each.kind for each in decision.commands[0].effects] == [EffectKind.EXECUTE]


def test_the_name_of_a_program_that_is_not_trusted_allows_nothing() -> None:
    found = command("./git push", name=("git", "push"))
    assert judged(policy(GIT), found, distrusted=("./git",)).verdict is Verdict.ASK


def test_a_rule_with_the_path_of_a_program_allows_it() -> None:
    found = command("./run x", effect("execute", "./run"))
    rule = {"verdict": "allow", "command": ["./run"]}
    assert judged(policy(rule), found, distrusted=("./run",)).verdict is Verdict.ALLOW


def test_every_command_of_a_call_counts() -> None:
    rules = policy(READS, {"verdict": "deny", "effects": ["network"]})
    found = [
        command("cat a", effect("read", "a")),
        command("x", effect("unknown")),
        command("curl y", effect("network")),
    ]
    decision = judged(rules, *found)
    assert [ruling.verdict for ruling in decision.commands] == ["allow", "ask", "deny"]
    assert (decision.verdict, decision.because) == ("deny", ("curl: so it is",))


def test_an_inner_command_is_judged_and_its_wrapper_only_runs_it() -> None:
    found = [
        command("timeout 5 cat a", Effect(EffectKind.EXECUTE, argv=("cat", "a"))),
        command("cat a", effect("read", "a"), of=0),
    ]
    assert judged(policy(READS), *found).verdict is Verdict.ALLOW


def test_no_command_is_never_allowed() -> None:
    assert judged(policy(EVERYTHING, default="allow")).verdict is Verdict.ASK


@pytest.mark.parametrize(
    ("route", "verdict"), [("ask", "ask"), ("allow", "allow"), ("deny", "deny")]
)
def test_a_text_that_needs_a_shell_is_at_least_what_the_route_says(
    route: str, verdict: str
) -> None:
    rules = policy(EVERYTHING, route={"verdict": route})
    shell = Planned(Route.SHELL, "a loop", complete=False)
    decision = judged(rules, command("cat a"), planned=shell)
    assert (decision.verdict, decision.route) == (verdict, Route.SHELL)


def test_no_shell_is_run_where_the_route_is_never() -> None:
    rules = policy(EVERYTHING, route={"shell": "never", "verdict": "allow"})
    assert judged(rules, command("a"), planned=Planned(Route.SHELL, "a loop")).verdict == "deny"


def test_for_a_host_a_builtin_is_a_builtin() -> None:
    found = command("cat a", effect("read", "a"), builtin=True)
    assert judged(policy(READS), found, executor=Executor.HOST).verdict is Verdict.ALLOW


def test_writing_what_is_run_later_is_running() -> None:
    rules = policy({"verdict": "allow", "effects": ["write", "execute"], "paths": ["worktree"]})
    hook = judged(rules, command("x", effect("write", ".git/hooks/pre-commit")))
    assert hook.verdict is Verdict.ASK
    assert hook.because == (
        "x runs: .git/hooks/pre-commit is run, or obeyed, by other programs later",
    )
    for path in ("sub/.git/HOOKS/x", ".git", ".mcp.json"):
        assert judged(rules, command("x", effect("write", path))).verdict is Verdict.ASK
    assert judged(rules, command("x", effect("write", "src/.github/x"))).verdict is Verdict.ALLOW


def test_a_decision_goes_through_json() -> None:
    found = [
        command("timeout 5 cat a", Effect(EffectKind.EXECUTE, argv=("cat", "a"))),
        command("cat a", effect("read", "a"), of=0),
    ]
    shown = judged(policy(READS), *found).to_json()
    assert shown == {
        "verdict": "allow",
        "route": "direct",
        "route_reason": None,
        "commands": [
            {
                "argv": ["timeout", "5", "cat", "a"],
                "program": "/usr/bin/timeout",
                "of": None,
                "verdict": "allow",
                "effects": [{"kind": "execute", "argv": ["cat", "a"]}],
                "rules": ["r0"],
            },
            {
                "argv": ["cat", "a"],
                "program": "/usr/bin/cat",
                "of": 0,
                "verdict": "allow",
                "effects": [{"kind": "read", "path": "a"}],
                "rules": ["r0"],
            },
        ],
        "because": ["so it is"],
        "error": None,
    }
    assert Decision.from_json(shown).to_json() == shown
