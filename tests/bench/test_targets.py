from __future__ import annotations

import pytest
from bench.values import ballast_sample, belongings, loop_sample, sample

from agent_exec.bench.launch.ballast import Ballast
from agent_exec.bench.launch.figures import MemoryFigure, ballast_figures_of, loop_figures_of
from agent_exec.bench.launch.measured import Belongings
from agent_exec.bench.launch.rounds import Sample
from agent_exec.bench.launch.targets import judge
from agent_exec.bench.target import Target, Verdict

SAME = belongings()


def judged(samples: list[Sample], figure: str) -> tuple[str, Verdict]:
    (target,) = (t for t in judge(samples, [], [], []) if t.figure == figure)
    return target.measured, target.verdict


def around(
    method: str, wall_us: float, *, in_flight: int, other: str = "floor", other_us: float = 100
) -> list[Sample]:
    return [
        sample(1, method, wall_us, in_flight=in_flight),
        sample(1, other, other_us, in_flight=in_flight),
    ]


@pytest.mark.parametrize(
    ("samples", "figure", "expected"),
    [
        pytest.param(
            around("engine-asyncio", 135, in_flight=1),
            "async launch through the engine (asyncio), 1 in flight",
            ("1.350 x floor", Verdict.MET),
            id="at-the-limit-is-met",
        ),
        pytest.param(
            around("engine-asyncio", 135.1, in_flight=1),
            "async launch through the engine (asyncio), 1 in flight",
            ("1.351 x floor", Verdict.MISSED),
            id="above-is-missed",
        ),
        pytest.param(
            around("engine-trio", 86, in_flight=16),
            "async launch through the engine (trio), 16 in flight",
            ("0.860 x floor", Verdict.MISSED),
            id="trio-is-judged-too",
        ),
        pytest.param(
            around("engine-blocking", 115, in_flight=1),
            "blocking launch, 1 in flight",
            ("1.150 x floor", Verdict.MET),
            id="blocking-1",
        ),
        pytest.param(
            around("engine-blocking", 76, in_flight=16),
            "blocking launch, 16 in flight",
            ("0.760 x floor", Verdict.MISSED),
            id="blocking-16",
        ),
        pytest.param(
            around("engine-asyncio", 100, in_flight=16, other="anyio", other_us=400),
            "async launch through the engine (asyncio), 16 in flight, against anyio",
            ("4.000 x faster", Verdict.MET),
            id="so-many-times-faster-is-met",
        ),
        pytest.param(
            around("engine-asyncio", 100, in_flight=16, other="asyncio", other_us=399),
            "async launch through the engine (asyncio), 16 in flight, against asyncio",
            ("3.990 x faster", Verdict.MISSED),
            id="not-quite-is-missed",
        ),
        pytest.param(
            around("tool-asyncio", 200, in_flight=1),
            "ExecTool.run, template hit, whole call, 1 in flight",
            ("2.000 x floor", Verdict.MET),
            id="tool-1",
        ),
        pytest.param(
            around("tool-asyncio", 100, in_flight=16, other="anyio", other_us=240),
            "ExecTool.run, 16 in flight, against anyio.run_process",
            ("2.400 x faster", Verdict.MISSED),
            id="tool-16",
        ),
        pytest.param(
            around("engine-blocking", 100, in_flight=16),
            "blocking launch, 1 in flight",
            ("-", Verdict.NOT_MEASURED),
            id="not-measured-is-neither",
        ),
    ],
)
def test_a_launch_is_judged_on_its_ratio(
    samples: list[Sample], figure: str, expected: tuple[str, Verdict]
) -> None:
    assert judged(samples, figure) == expected


def test_a_target_is_judged_on_the_median_of_the_rounds() -> None:
    samples = [
        *(sample(number, "floor", 100) for number in (1, 2, 3)),
        sample(1, "engine-blocking", 110),
        sample(2, "engine-blocking", 900),
        sample(3, "engine-blocking", 112),
    ]
    assert judged(samples, "blocking launch, 1 in flight") == ("1.120 x floor", Verdict.MET)


@pytest.mark.parametrize(
    ("wall_us", "verdict"), [(20.0, Verdict.MET), (20.5, Verdict.MISSED)], ids=["met", "missed"]
)
def test_the_loop_target_is_for_the_engine_under_asyncio(wall_us: float, verdict: Verdict) -> None:
    loops = loop_figures_of(
        [loop_sample(1, "asyncio", 900), loop_sample(1, "engine-asyncio", wall_us)]
    )
    targets = judge([], loops, [], [])
    assert (
        Target(
            figure="event-loop thread time per launch, 16 in flight",
            wanted="at most 20 µs",
            measured=f"{wall_us:.3f} µs",
            verdict=verdict,
        )
        in targets
    )


def test_a_ballast_target_is_judged_on_our_worst_method() -> None:
    figures = ballast_figures_of(
        [
            ballast_sample(1, "engine-asyncio", 100, 105),
            ballast_sample(1, "tool-asyncio", 100, 120, in_flight=16),
            ballast_sample(1, "asyncio", 100, 300),
            ballast_sample(1, "engine-blocking", 100, 100, ballast=Ballast.DESCRIPTORS_AFTER),
        ]
    )
    assert [t for t in judge([], [], figures, []) if t.figure.startswith("parent")] == [
        Target(
            figure="parent with 2 GiB resident and 32 threads (worst: tool-asyncio, 16 in flight)",
            wanted="at most 1.15 x without",
            measured="1.200 x without",
            verdict=Verdict.MISSED,
        ),
        Target(
            figure="parent with 10,000 descriptors, opened before the engine",
            wanted="at most 1.15 x without",
            measured="-",
            verdict=Verdict.NOT_MEASURED,
        ),
        Target(
            figure="parent with 10,000 descriptors, opened after the engine "
            "(worst: engine-blocking, 1 in flight)",
            wanted="at most 1.15 x without",
            measured="1.000 x without",
            verdict=Verdict.MET,
        ),
    ]


@pytest.mark.parametrize(
    ("launches", "after", "measured", "verdict"),
    [
        pytest.param(
            80_000,
            SAME,
            "+0 descriptors, +0 children, +0 threads, +0.0 bytes a launch",
            Verdict.MET,
            id="nothing-kept",
        ),
        pytest.param(
            80_000,
            belongings(rss_bytes=50_000_000 + 80_000 * 8),
            "+0 descriptors, +0 children, +0 threads, +8.0 bytes a launch",
            Verdict.MISSED,
            id="bytes-kept",
        ),
        pytest.param(
            80_000,
            belongings(python_blocks=100_000 + 800),
            "+0 descriptors, +0 children, +0 threads, +0.0 bytes a launch",
            Verdict.MISSED,
            id="objects-kept-where-the-allocator-had-room",
        ),
        pytest.param(
            80_000,
            belongings(descriptors=21),
            "+1 descriptors, +0 children, +0 threads, +0.0 bytes a launch",
            Verdict.MISSED,
            id="a-descriptor",
        ),
        pytest.param(
            80_000,
            belongings(children=1),
            "+0 descriptors, +1 children, +0 threads, +0.0 bytes a launch",
            Verdict.MISSED,
            id="a-zombie",
        ),
        pytest.param(
            80_000,
            belongings(threads=4),
            "+0 descriptors, +0 children, -1 threads, +0.0 bytes a launch",
            Verdict.MET,
            id="fewer-is-no-growth",
        ),
        pytest.param(
            1_600,
            SAME,
            "+0 descriptors, +0 children, +0 threads, +0.0 bytes a launch",
            Verdict.NOT_MEASURED,
            id="too-few-launches-to-see-bytes",
        ),
        pytest.param(
            1_600,
            belongings(threads=6),
            "+0 descriptors, +0 children, +1 threads, +0.0 bytes a launch",
            Verdict.MISSED,
            id="enough-to-see-a-thread",
        ),
    ],
)
def test_memory_is_judged_on_growth(
    launches: int, after: Belongings, measured: str, verdict: Verdict
) -> None:
    figure = MemoryFigure(method="engine-asyncio", launches=launches, before=SAME, after=after)
    assert judge([], [], [], [figure])[-1] == Target(
        figure=f"kept after {launches} launches by engine-asyncio",
        wanted="no descriptor, child, thread or byte more",
        measured=measured,
        verdict=verdict,
    )


def test_without_any_measurement_no_target_is_met() -> None:
    assert {target.verdict for target in judge([], [], [], [])} == {Verdict.NOT_MEASURED}
