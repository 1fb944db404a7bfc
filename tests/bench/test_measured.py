from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_exec.bench.launch.measured import Batch
from agent_exec.bench.spread import percentile


def test_a_batch_is_per_launch_and_in_microseconds() -> None:
    measured = Batch.of(
        16, elapsed_ns=8_000_000, cpu_ns=400_000, latencies_ns=[4000, 1000, 2000, 3000]
    )
    assert measured == Batch(
        launches=4, in_flight=16, wall_us=2000.0, p50_us=2.0, p95_us=4.0, cpu_us=100.0
    )


@given(values=st.lists(st.integers(0, 10**12), min_size=1), percent=st.integers(1, 100))
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(
    values: list[int], percent: int
) -> None:
    found = percentile(sorted(values), percent)

    assert found in values
    assert sum(value <= found for value in values) * 100 >= len(values) * percent
    assert sum(value < found for value in values) * 100 < len(values) * percent


@pytest.mark.parametrize(
    ("in_flight", "cost_us"),
    [pytest.param(1, 2.0, id="one-by-one-the-median"), pytest.param(16, 2000.0, id="throughput")],
)
def test_what_is_compared(in_flight: int, cost_us: float) -> None:
    measured = Batch.of(
        in_flight, elapsed_ns=8_000_000, cpu_ns=0, latencies_ns=[4000, 1000, 2000, 3000]
    )
    assert measured.cost_us == cost_us
