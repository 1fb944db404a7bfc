"""The shipped policies: their examples, and what each of them says."""

from __future__ import annotations

from pathlib import Path

import pytest
from policy.judging import Bench

from agent_exec.model.decision import Decision
from agent_exec.policy.examples import count_examples
from agent_exec.policy.lint import lint
from agent_exec.policy.load import SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_its_examples_agree(name: str) -> None:
    assert count_examples(name) >= 5


@pytest.mark.parametrize("name", [name for name in SHIPPED if name != "open"])
def test_lint_has_nothing_to_say(name: str) -> None:
    assert lint(name) == ()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A worktree with a file, a script and a secret."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("a.txt", ".env", "run.sh"):
        (tree / name).write_text("#!/bin/sh\n")
    (tree / "run.sh").chmod(0o755)
    (tree / "to-secret").symlink_to(".env")
    return tree


NAMES = ("read-only", "default", "workspace", "strict", "open")


@pytest.mark.parametrize(
    ("call", "verdicts"),
    [
        # In the order of NAMES.
        pytest.param("cat a.txt", "allow allow allow allow allow", id="a-read"),
        pytest.param("cat /etc/passwd", "deny ask ask ask allow", id="a-read-outside"),
        pytest.param("cat .env", "deny ask ask deny ask", id="a-secret"),
        pytest.param("cat to-secret", "deny ask ask deny ask", id="a-link-to-a-secret"),
        pytest.param("cat .e*", "deny ask ask deny ask", id="a-secret-by-a-pattern"),
        pytest.param("cat < .env", "deny ask ask deny ask", id="a-secret-as-input"),
        pytest.param("cat a.txt > b.txt", "deny ask allow ask allow", id="a-write"),
        pytest.param("cat a.txt > /etc/x", "deny ask ask ask allow", id="a-write-outside"),
        pytest.param("rm a.txt", "deny ask allow ask allow", id="a-delete"),
        pytest.param("rm -rf .", "deny ask ask ask deny", id="the-worktree-deleted"),
        pytest.param("rm -rf /", "deny ask ask ask deny", id="everything-deleted"),
        pytest.param("./run.sh", "deny ask allow ask allow", id="code-of-the-worktree"),
        pytest.param("cp a.txt .git/hooks/x", "deny ask ask ask allow", id="a-hook"),
        pytest.param("curl https://a.example", "deny ask ask ask allow", id="the-network"),
        pytest.param("sudo cat a.txt", "deny ask ask deny allow", id="more-rights"),
        pytest.param("no-such-program", "deny ask ask deny allow", id="an-unknown-program"),
        pytest.param("cat --no-such-option a.txt", "deny ask ask deny allow", id="an-option"),
        pytest.param("for i in a; do cat $i; done", "deny ask ask deny allow", id="a-shell"),
        pytest.param("shutdown now", "deny ask ask deny deny", id="the-machine"),
        pytest.param("git push -f", "deny ask ask ask deny", id="a-forced-push"),
    ],
)
def test_a_call_under_each_policy(tree: Path, call: str, verdicts: str) -> None:
    assert {name: Bench(name, tree).judge(call).verdict.value for name in NAMES} == dict(
        zip(NAMES, verdicts.split(), strict=True)
    )


def decision(
    tree: Path, call: str | tuple[str, ...], env: dict[str, str] | None = None
) -> Decision:
    return Bench("default", tree).judge(call, env=env)


def test_a_variable_that_is_not_listed_refuses_the_call_by_its_name(tree: Path) -> None:
    refused = decision(tree, ("cat", "a.txt"), env={"LD_PRELOAD": "./x.so", "CI": "1"})
    assert refused.verdict == "deny"
    assert "LD_PRELOAD" in refused.because[0]
    assert "CI, NO_COLOR" in refused.because[0]
    assert decision(tree, ("cat", "a.txt"), env={"CI": "1"}).verdict == "allow"


def test_a_refusal_says_where_the_same_would_be_allowed(tree: Path) -> None:
    assert decision(tree, "cat ../x").because[0].endswith("; allowed beneath worktree, system")
