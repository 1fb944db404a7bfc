"""Our reading of shell text against bash's: an exact oracle, on texts that nobody chose.

`argv_oracle.py` beside this file compares any number of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shell.argv_oracle import TOKENS, compare, mutants, soups
from shell.commands import COMMANDS
from shell.oracle import NotComparable, Oracle, why_no_oracle

WHY_NOT = why_no_oracle()
pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(WHY_NOT is not None, reason=str(WHY_NOT)),
]


@pytest.fixture(scope="module")
def oracle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Oracle]:
    with Oracle(tmp_path_factory.mktemp("oracle")) as started:
        yield started


def test_a_text_as_agents_write_it_is_read_as_bash_reads_it(oracle: Oracle) -> None:
    found = compare(oracle, COMMANDS)
    assert found.different == []
    assert found.left_out == 0


@pytest.mark.parametrize("seed", range(2))
def test_no_soup_of_tokens_is_read_otherwise_than_bash_reads_it(oracle: Oracle, seed: int) -> None:
    found = compare(oracle, soups(1000, seed))
    assert found.different == []
    assert found.equal > 100  # else the soup says nothing


def test_no_changed_text_is_read_otherwise_than_bash_reads_it(oracle: Oracle) -> None:
    found = compare(oracle, mutants(COMMANDS, 700, seed=1))
    assert found.different == []
    assert found.equal > 300


@given(
    tokens=st.lists(
        st.one_of(
            st.sampled_from(TOKENS),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=3),
        ),
        max_size=12,
    ),
    between=st.sampled_from(["", " "]),
)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_is_lowered_that_bash_reads_otherwise(
    oracle: Oracle, tokens: list[str], between: str
) -> None:
    text = between.join(tokens)
    try:
        ours = oracle.ours(text)
    except NotComparable:
        return
    assert ours == oracle.bash(text)
