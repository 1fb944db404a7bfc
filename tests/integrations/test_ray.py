"""Calls on the nodes of a real Ray cluster, all of them on this machine; see ray_scenarios.py."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.foreign,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed"),
    pytest.mark.timeout(300),
]

SCENARIOS = Path(__file__).with_name("ray_scenarios.py")


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What every scenario found, by its name; and the ids of the nodes."""
    done = subprocess.run(
        [sys.executable, SCENARIOS, tmp_path_factory.mktemp("ray")],
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_calls_go_to_the_node_that_has_the_worktree(found: Any) -> None:
    first, second = found["nodes"]
    assert found["routes"] == [[first, "a"], [first, "b"], [second, "c"]] * 5


def test_a_policy_is_kept_on_the_node_and_unknown_places_are_refused(found: Any) -> None:
    ended, errors = found["policies"]
    assert ended == "refused"
    # Each by `run` and by `stream`; the last in the words of the node, and no more.
    assert [error.split("; it has")[0].split(" '")[0].split(" /")[0] for error in errors] == [
        "the backend has no worktree",
        "the backend has no worktree",
        "the backend has no policy",
        "the backend has no policy",
        "the worktree",
        "the worktree",
    ]
    assert errors[-1].endswith("gone is no directory")
    assert f"no node '{'ab' * 28}'" in found["unknown"]


def test_outputs_are_streamed_while_the_call_runs(found: Any) -> None:
    assert found["streams"] == ["first\n", "second\n", 0]


def test_a_call_that_takes_too_long_is_ended_with_its_tree(found: Any) -> None:
    assert (found["ends"]["ended"], found["ends"]["gone"]) == ("timeout", True)


def test_a_long_output_comes_cut_in_the_middle(found: Any) -> None:
    length, end = found["ends"]["text"]
    assert length < 40_000
    assert end.endswith("\nlast")
    assert found["ends"]["dropped"] > 2_900_000


def test_a_stream_that_nobody_reads_makes_its_child_wait(found: Any) -> None:
    assert found["unread"] == [False, 20_000_000, True]


def test_an_actor_that_is_killed_is_told_of_and_leaves_nothing(found: Any) -> None:
    name, words, gone = found["kills"]
    assert (name, gone) == ("BackendLost", True)
    assert f"lost node {found['nodes'][0]}" in words


def test_a_background_session_goes_on_between_calls_and_ends_with_its_owner(found: Any) -> None:
    assert found["sessions"] == ["running", "hello\n", ["refused", "refused"], True]


def test_the_example_of_the_guide_runs(found: Any) -> None:
    assert found["example"].endswith("True 0 hello, worktree\n")


def test_what_is_cancelled_is_ended_with_its_tree(found: Any) -> None:
    assert found["cancels"] == [[True, True], [True, True]]


def test_a_node_that_dies_is_told_of_to_every_call_and_nothing_of_it_is_left(found: Any) -> None:
    lost = found["loses"]
    dead = found["nodes"][1]
    assert {name for name, _ in lost["told"]} == {"BackendLost"}
    assert len(lost["told"]) >= 4
    in_flight, later = lost["told"][:2], lost["told"][-1]
    assert all(f"lost node {dead}, which has " in words for _, words in lost["told"])
    assert all("whether the call ran is not known" in words for _, words in in_flight)
    assert "it was lost before" in later[1]
    assert (lost["gone"], lost["lost"], lost["other"]) == (True, [dead], 0)
