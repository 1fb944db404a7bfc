from __future__ import annotations

import pytest
from bench.values import ballast_sample, loop_sample, sample

from agent_exec.bench.failure import Failure
from agent_exec.bench.launch.ballast import Ballast
from agent_exec.bench.launch.figures import (
    BallastFigure,
    Figure,
    LoopFigure,
    ballast_figures_of,
    cells_of,
    failures_of,
    figures_of,
    loop_figures_of,
    ratios_of,
)
from agent_exec.bench.launch.rounds import Sample
from agent_exec.bench.spread import Spread, quiet_median

WRONG = Failure("WrongResultError: exit status 1")


@pytest.mark.parametrize(
    ("values", "spread"),
    [
        pytest.param([3.0], (3.0, 3.0, 3.0, 3.0, 3.0), id="one-value-is-all-of-it"),
        pytest.param([4.0, 2.0], (3.0, 2.5, 3.5, 2.0, 4.0), id="two-values"),
        pytest.param([5.0, 1.0, 3.0, 2.0, 4.0], (3.0, 2.0, 4.0, 1.0, 5.0), id="in-any-order"),
        pytest.param([1.0, 1.0, 1.0, 1.0, 100.0], (1.0, 1.0, 1.0, 1.0, 100.0), id="an-outlier"),
    ],
)
def test_spread(values: list[float], spread: tuple[float, ...]) -> None:
    median, lower, upper, least, most = spread
    assert Spread.of(values) == Spread(
        median=median, lower=lower, upper=upper, least=least, most=most
    )


@pytest.mark.parametrize(
    ("values", "quiet"),
    [
        pytest.param([4.0], 4.0, id="one-value"),
        pytest.param([9.0, 1.0, 8.0, 3.0, 2.0, 4.0], 3.0, id="three-in-a-row-at-least"),
        pytest.param([9.0, 9.0, 9.0, 1.0, 1.0], 9.0, id="no-shorter-window-at-the-end"),
        pytest.param([9.0, 1.0] * 40, 5.0, id="lone-low-values-are-not-quiet"),
        pytest.param([9.0] * 80 + [3.0] * 5 + [9.0] * 15, 3.0, id="a-twentieth-that-is"),
    ],
)
def test_the_quiet_median_is_of_a_stretch(values: list[float], quiet: float) -> None:
    assert quiet_median(values) == quiet


@pytest.mark.parametrize(
    ("samples", "ratios"),
    [
        pytest.param([sample(1, "floor", 100), sample(1, "trio", 250)], [2.5], id="within-a-round"),
        pytest.param(
            [
                sample(1, "floor", 100),
                sample(1, "trio", 300),
                sample(2, "trio", 300),
                sample(2, "floor", 200),
            ],
            [3.0, 1.5],
            id="each-round-has-its-own-floor",
        ),
        pytest.param(
            [sample(1, "trio", 300), sample(2, "floor", 100)], [], id="never-across-rounds"
        ),
        pytest.param(
            [sample(1, "floor", 100), sample(1, "trio", WRONG)], [], id="a-void-batch-has-none"
        ),
        pytest.param(
            [sample(1, "floor", WRONG), sample(1, "trio", 300)], [], id="nor-has-a-void-floor"
        ),
        pytest.param(
            [sample(1, "floor", 100, in_flight=16), sample(1, "trio", 300)],
            [],
            id="not-across-numbers-in-flight",
        ),
        pytest.param(
            [sample(1, "floor", 100, program="cat"), sample(1, "trio", 300)],
            [],
            id="not-across-programs",
        ),
    ],
)
def test_ratios_of(samples: list[Sample], ratios: list[float]) -> None:
    assert ratios_of(samples, "tiny", 1, "trio", "floor") == ratios


def test_a_figure_is_the_median_over_the_rounds_that_count() -> None:
    samples = [
        sample(1, "floor", 100),
        sample(2, "floor", 100),
        sample(3, "floor", 100),
        sample(1, "trio", 300),
        sample(2, "trio", WRONG),
        sample(3, "trio", 500),
    ]

    assert figures_of(samples)[1] == Figure(
        program="tiny",
        in_flight=1,
        method="trio",
        rounds=2,
        wall_us=800,
        p50_us=400,
        p95_us=1600,
        cpu_us=200,
        cost_us=400,
        x_floor=Spread(median=4, lower=3.5, upper=4.5, least=3, most=5),
    )


def test_a_method_without_a_floor_has_times_and_no_ratio() -> None:
    (figure,) = figures_of([sample(1, "trio", 300)])
    assert (figure.cost_us, figure.x_floor) == (300, None)


def test_cells_are_in_order_and_the_quickest_comes_first() -> None:
    figures = figures_of(
        [
            sample(1, "trio", 300, program="cat"),
            sample(1, "trio", 300, in_flight=16),
            sample(1, "anyio", 400),
            sample(1, "trio", 300),
        ]
    )
    assert [[(f.program, f.in_flight, f.method) for f in cell] for cell in cells_of(figures)] == [
        [("tiny", 1, "trio"), ("tiny", 1, "anyio")],
        [("tiny", 16, "trio")],
        [("cat", 1, "trio")],
    ]


def test_loop_figures_are_medians_without_the_void_rounds() -> None:
    figures = loop_figures_of(
        [loop_sample(1, "trio", 10), loop_sample(2, "trio", 20), loop_sample(1, "anyio", WRONG)]
    )
    assert figures == [
        LoopFigure(
            program="tiny",
            in_flight=16,
            method="trio",
            rounds=2,
            wall_us=Spread(median=15, lower=12.5, upper=17.5, least=10, most=20),
            cpu_us=7.5,
            longest_us=150,
            turns=1.5,
        )
    ]


def test_ballast_figures_compare_a_method_with_itself_in_the_same_round() -> None:
    figures = ballast_figures_of(
        [
            ballast_sample(1, "trio", 100, 110),
            ballast_sample(2, "trio", 200, 260),
            ballast_sample(3, "trio", 100, WRONG),
            ballast_sample(1, "anyio", WRONG, 100),
        ]
    )
    assert figures == [
        BallastFigure(
            ballast=Ballast.MEMORY,
            in_flight=1,
            method="trio",
            rounds=2,
            plain_us=150,
            loaded_us=185,
            ratio=Spread.of([1.1, 1.3]),
        )
    ]


def test_every_void_measurement_has_a_line() -> None:
    lines = failures_of(
        [sample(1, "trio", WRONG, in_flight=16), sample(2, "trio", 100)],
        [loop_sample(3, "anyio", WRONG)],
        [ballast_sample(4, "asyncio", WRONG, WRONG)],
    )
    heavy = "parent with 2 GiB resident and 32 threads"
    assert lines == [
        f"round 1, trio, tiny, 16 in flight: {WRONG.reason}",
        f"event-loop round 3, anyio: {WRONG.reason}",
        f"round 4, asyncio, 1 in flight, beside a {heavy}: {WRONG.reason}",
        f"round 4, asyncio, 1 in flight, {heavy}: {WRONG.reason}",
    ]
