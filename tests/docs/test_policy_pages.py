"""What the pages about policies show is what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from agent_exec.policy.file import PATH_WORDS, PolicyFile
from agent_exec.policy.lint import lint
from agent_exec.policy.load import SHIPPED, load_policy

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLE = DOCS / "examples" / "policy.yaml"
REFERENCE = (DOCS / "reference" / "policy.md").read_text("utf-8")


def test_the_policy_of_the_guide_loads(tmp_path: Path) -> None:
    policy = load_policy(EXAMPLE, worktree=str(tmp_path))
    assert [rule.id for rule in policy.allows] == ["reads", "tests", "build-output"]
    told = [warning.message for warning in lint(str(EXAMPLE))]
    assert told == ["rule build-output: there is no /srv/project/build on this machine"]


def test_the_guide_shows_that_policy() -> None:
    page = (DOCS / "guides" / "write-a-policy.md").read_text("utf-8")
    assert f"```yaml\n{EXAMPLE.read_text('utf-8')}```" in page


@pytest.mark.parametrize("key", PolicyFile.model_fields)
def test_every_key_is_in_the_reference(key: str) -> None:
    assert re.search(rf"`{key}[.`]", REFERENCE)


def test_every_path_with_a_name_is_in_the_reference() -> None:
    names = re.findall(r"\b(worktree|system|tmp|toolchains|home|secrets|above)\b", PATH_WORDS)
    for name in set(names):
        assert f"| `{name}` |" in REFERENCE


def test_every_shipped_policy_has_its_column() -> None:
    assert f"| | {' | '.join(f'`{name}`' for name in SHIPPED)} |" in REFERENCE
