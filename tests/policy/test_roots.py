"""The directories of a sandbox: none lies in another one of them."""

from __future__ import annotations

import pytest

from agent_exec.policy.sandbox import _roots


@pytest.mark.parametrize(
    ("words", "left"),
    [
        pytest.param(["/nothing/a", "/nothing/a/b"], ("/nothing/a",), id="beneath"),
        pytest.param(["/nothing/a/b", "/nothing/a"], ("/nothing/a",), id="above-comes-later"),
        pytest.param(["/nothing/a", "/nothing/ab"], ("/nothing/a", "/nothing/ab"), id="beside"),
        pytest.param(["/nothing/a", "/nothing/a"], ("/nothing/a",), id="twice"),
        pytest.param(["/", "/nothing/a"], ("/",), id="all"),
        pytest.param(["/nothing/a", "all"], ("/",), id="named"),
    ],
)
def test_what_lies_in_another_is_left_out(words: list[str], left: tuple[str, ...]) -> None:
    assert _roots(words, {"all": ("/", "/nothing/b")}) == left
