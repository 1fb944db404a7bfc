"""The guide to tool tables has every word of theirs, and its example is a table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from agent_exec.policy import table_source
from agent_exec.policy.table import Role, Syntax
from agent_exec.policy.table_source import make_table

PAGE = (Path(__file__).parents[2] / "docs" / "guides" / "add-a-tool-table.md").read_text("utf-8")
# Words in code, with what may stand beside them: `value: ROLE`, `"read*"`.
SAID = set(re.findall(r"[a-z_]+", " ".join(re.findall(r"`([^`\n]+)`", PAGE))))


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(table_source._KEYS, id="tables"),
        pytest.param(table_source._OPTION_KEYS, id="options"),
        pytest.param(table_source._OPERAND_KEYS, id="operands"),
        pytest.param(table_source._MODE_KEYS, id="modes"),
        pytest.param({role.value for role in Role}, id="roles"),
        pytest.param({syntax.value for syntax in Syntax}, id="syntaxes"),
    ],
)
def test_the_guide_has_every_word(words: set[str]) -> None:
    assert set(words) - SAID == set()


def test_the_examples_are_tables() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert examples
    for example in examples:
        for name, source in yaml.safe_load(example).items():
            make_table(name, source, "the guide")
