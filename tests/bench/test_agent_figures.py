"""Figures, parts and targets of the agent-tools benchmark: pure arithmetic."""

from __future__ import annotations

import pytest
from bench.agent_values import batch, part_sample, sample

from agent_exec.bench.agent_tools.figures import failures_of, figures_of, tool_figures_of
from agent_exec.bench.agent_tools.measured import Batch, Share
from agent_exec.bench.agent_tools.options import SPLITS
from agent_exec.bench.agent_tools.parts import part_figures_of
from agent_exec.bench.agent_tools.rounds import Sample
from agent_exec.bench.agent_tools.targets import judge
from agent_exec.bench.failure import Failure
from agent_exec.bench.target import Verdict


def test_a_batch_is_what_all_workers_did() -> None:
    shares = [
        Share(tasks=(0, 1), latencies_ns=(1000, 2000), runtime_cpu_ns=4000, children_cpu_ns=8000),
        Share(tasks=(1, 0), latencies_ns=(3000, 4000), runtime_cpu_ns=8000, children_cpu_ns=16000),
    ]
    made = Batch.of(shares, wall_ns=2_000_000_000)
    assert (made.calls, made.calls_per_s) == (4, 2.0)
    assert (made.runtime_cpu_us, made.children_cpu_us) == (3.0, 6.0)
    assert made.latencies_us == ((0, 1.0), (1, 2.0), (1, 3.0), (0, 4.0))
    assert [made.percentile_us(percent) for percent in (50, 99)] == [2.0, 4.0]


def test_ratios_are_taken_within_a_round() -> None:
    samples = [
        sample(1, "subprocess", 100.0),
        sample(1, "agent_exec", 200.0),
        sample(2, "subprocess", 10.0),  # a slow moment, for both
        sample(2, "agent_exec", 20.0),
        sample(3, "subprocess", Failure("the worker ended by itself (status -9)")),
        sample(3, "agent_exec", 900.0),
    ]
    base, ours = figures_of(samples)
    assert (base.back_end, base.rounds, base.calls_per_s) == ("subprocess", 2, 55.0)
    assert (ours.back_end, ours.rounds, ours.calls_per_s) == ("agent_exec", 3, 200.0)
    assert ours.x_base is not None
    assert (ours.x_base.least, ours.x_base.median, ours.x_base.most) == (2.0, 2.0, 2.0)
    (failure,) = failures_of(samples)
    assert failure == (
        "round 3 is void for subprocess, no-interpreters, 1x16: "
        "the worker ended by itself (status -9)"
    )


def test_latencies_of_a_tool_are_taken_over_all_rounds() -> None:
    cat, rg = tool_figures_of(
        [sample(1, "agent_exec", 100.0), sample(2, "agent_exec", 100.0)], ("cat", "rg")
    )
    assert (cat.tool, cat.calls, cat.p50_us, cat.p99_us) == ("cat", 10, 1000.0, 1000.0)
    assert (rg.tool, rg.calls, rg.p50_us, rg.p99_us) == ("rg", 10, 1000.0, 10_000.0)


@pytest.mark.parametrize(
    ("worked_us", "whole_us", "parts"),
    [
        pytest.param(700.0, 1000.0, (200.0, 200.0, 300.0, 200.0), id="usual"),
        pytest.param(450.0, 1000.0, (450.0, 200.0, 250.0, 0.0), id="works-less-than-it-starts"),
        pytest.param(150.0, 1000.0, (700.0, 200.0, 0.0, 0.0), id="quicker-than-nothing"),
        pytest.param(700.0, 600.0, None, id="quicker-than-the-floor"),
    ],
)
def test_the_parts_of_a_call_sum_to_the_whole(
    worked_us: float, whole_us: float, parts: tuple[float, ...] | None
) -> None:
    (figure,) = part_figures_of([part_sample(1, "cat", worked_us=worked_us, whole_us=whole_us)])
    assert figure.is_whole is (parts is not None)
    found = (figure.back_end_us, figure.launch_us, figure.start_us, figure.work_us)
    assert figure.agents_us + sum(found) == whole_us
    if parts is not None:
        assert found == parts


def test_a_whole_time_that_is_missing_leaves_its_bar_out() -> None:
    samples = [part_sample(1, "cat", worked_us=700.0, whole_us=None)]
    assert part_figures_of(samples) == []


def of_all(over_base: float, over_thread: float, *, cpu: float = 0.5) -> list[Sample]:
    """Every preset and split, with the tool so many times as quick as the two."""
    return [
        sample(1, name, batch(calls_per_s, cpu_us=cpu_us), preset=preset, split=str(split))
        for preset in ("no-interpreters", "all", "shell-text")
        for split in SPLITS
        for name, calls_per_s, cpu_us in (
            ("subprocess", 100.0, 100.0),
            ("subprocess-thread", 100.0 * over_base / over_thread, 100.0),
            ("agent_exec", 100.0 * over_base, 100.0 * cpu),
        )
    ]


def test_targets_are_met_and_missed() -> None:
    good = judge(of_all(1.75, 1.3))
    assert {target.verdict for target in good} == {Verdict.MET}
    assert len(good) == 8
    bad = judge(of_all(1.04, 1.02, cpu=0.51))
    assert [target.verdict for target in bad].count(Verdict.MISSED) == 7  # p99 is the same


def test_the_worst_split_is_named_and_needs_them_all() -> None:
    samples = [
        *(s for s in of_all(1.75, 1.3) if (s.split, s.preset) != ("4x4", "no-interpreters")),
        sample(1, "subprocess", 100.0, split="4x4"),
        sample(1, "agent_exec", 110.0, split="4x4"),
    ]
    worst = {target.figure: target for target in judge(samples) if "worst" in target.figure}
    assert {figure: (target.verdict, target.measured) for figure, target in worst.items()} == {
        "no-interpreters, worst of the splits (4x4): calls/s over subprocess": (
            Verdict.MISSED,
            "10.000 % more",
        ),
        "no-interpreters, worst of the splits: calls/s over subprocess-thread": (
            Verdict.NOT_MEASURED,
            "-",
        ),
    }


def test_what_was_not_measured_is_not_judged() -> None:
    assert {target.verdict for target in judge([])} == {Verdict.NOT_MEASURED}
