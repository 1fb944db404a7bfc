"""Why a template was made again, in words."""

from __future__ import annotations

import os

import pytest

from agent_exec.model.plan import Identity
from agent_exec.template.change import what_changed

BEFORE = Identity.of(os.stat("/"))._replace(mode=0o100755, uid=0, gid=0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"ino": 1, "size": 2, "ctime_ns": 3}, "another file is at its path", id="ino"),
        pytest.param({"dev": 1}, "another file is at its path", id="dev"),
        pytest.param({"size": 1, "mtime_ns": 2, "ctime_ns": 2}, "it was written to", id="size"),
        pytest.param({"mtime_ns": 1, "ctime_ns": 2}, "it was written to", id="mtime"),
        pytest.param(
            {"uid": 7, "mode": 0o100700, "ctime_ns": 1}, "its owner changed to 7:0", id="owner"
        ),
        pytest.param({"mode": 0o104755, "ctime_ns": 1}, "its mode changed to 4755", id="mode"),
        pytest.param({"ctime_ns": 1}, "its links, names or attributes changed", id="ctime"),
        pytest.param({}, "its path did not lead to it, or our own credentials changed", id="none"),
    ],
)
def test_the_first_difference_that_explains_it_is_told(changes: dict[str, int], words: str) -> None:
    assert what_changed(BEFORE, BEFORE._replace(**changes)) == words
