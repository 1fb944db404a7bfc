from __future__ import annotations

import pytest

from agent_exec.bench.launch import METHOD_NAMES, PROGRAM_NAMES, LaunchBenchOptions


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        pytest.param(LaunchBenchOptions.choose(), LaunchBenchOptions(), id="nothing-given"),
        pytest.param(
            LaunchBenchOptions.choose(quick=True),
            LaunchBenchOptions(rounds=3, launches=40, memory_launches=2_000),
            id="quick",
        ),
        pytest.param(
            LaunchBenchOptions.choose(quick=True, rounds=9),
            LaunchBenchOptions(rounds=9, launches=40, memory_launches=2_000),
            id="what-is-given-wins-over-quick",
        ),
        pytest.param(
            LaunchBenchOptions.choose(only=("trio",), programs=("cat",), ballast=False, seed=7),
            LaunchBenchOptions(methods=("trio",), programs=("cat",), ballast=False, seed=7),
            id="a-choice",
        ),
        pytest.param(
            LaunchBenchOptions.choose(only=(), programs=()),
            LaunchBenchOptions(methods=METHOD_NAMES, programs=PROGRAM_NAMES),
            id="an-empty-choice-is-everything",
        ),
    ],
)
def test_choose(chosen: LaunchBenchOptions, expected: LaunchBenchOptions) -> None:
    assert chosen == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"methods": ("nodejs",)}, "no such method: nodejs", id="method"),
        pytest.param({"programs": ("dog",)}, "no such program: dog", id="program"),
        pytest.param({"programs": ()}, "no program to launch", id="no-program"),
        pytest.param({"rounds": 0}, "rounds must be at least 1", id="rounds"),
        pytest.param({"launches": -1}, "launches must be at least 1", id="launches"),
        pytest.param({"memory_launches": -1}, "memory_launches must be at least 0", id="memory"),
    ],
)
def test_what_cannot_be_measured_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LaunchBenchOptions(**options)  # type: ignore[arg-type]  # a table of any field
