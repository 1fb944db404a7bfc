"""What texts do when we run them against what they do when bash runs them.

`compare_execution.py` beside this file compares any number of them.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator

import pytest
from shell.compare_execution import combinations, may_run
from shell.execution import Sandbox
from shell.texts_to_run import FOUND, TEXTS

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(
        not all(shutil.which(name) for name in ("bash", "bwrap", "git")),
        reason="needs bash, git and bubblewrap",
    ),
]
_OWN = 160
_COMBINED = 80


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """With both launchers: what bash does is looked at once for the two."""
    with Sandbox(tmp_path_factory.mktemp("sandbox"), ["vfork", "portable"]) as started:
        yield started


def _compare(sandbox: Sandbox, texts: list[str]) -> None:
    chosen = [text for text in texts if may_run(text, sandbox.scope)]
    answers = list(sandbox.compare(chosen))
    assert [answer for answer in answers if answer.outcome == "different"] == []
    alike = sum(answer.outcome == "equal" for answer in answers)
    assert alike > 0.9 * len(chosen)  # else the list says little


def test_a_text_does_what_it_does_when_bash_runs_it(sandbox: Sandbox) -> None:
    _compare(sandbox, random.Random(1).sample(TEXTS, _OWN))


def test_what_was_different_once_is_not_so_again(sandbox: Sandbox) -> None:
    _compare(sandbox, list(FOUND))


def test_redirections_do_what_they_do_when_bash_makes_them(sandbox: Sandbox) -> None:
    _compare(sandbox, list(combinations(_COMBINED, seed=2)))
