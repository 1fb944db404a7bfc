from __future__ import annotations

import random

import pytest
from bench.values import CAT, TINY, FakeWorker, batch

from agent_exec.bench.failure import Failure
from agent_exec.bench.launch.ballast import Ballast
from agent_exec.bench.launch.rounds import Sample, time_launches, time_loops, time_with_ballast

METHODS = ("floor", "trio", "anyio")


def nobody(line: str) -> None:
    """Takes progress."""


def launched(workers: dict[str, FakeWorker], *, rounds: int, seed: int = 1) -> list[Sample]:
    return list(
        time_launches(
            workers,
            [TINY, CAT],
            rounds=rounds,
            launches=10,
            order=random.Random(seed),
            tell=nobody,
        )
    )


def workers() -> dict[str, FakeWorker]:
    return {name: FakeWorker(name) for name in METHODS}


def test_every_round_runs_every_method_once_for_each_program_and_number_in_flight() -> None:
    samples = launched(workers(), rounds=3)

    ran = sorted((s.round, s.program, s.in_flight, s.method) for s in samples)
    assert ran == sorted(
        (number, program, in_flight, method)
        for number in (1, 2, 3)
        for program in ("tiny", "cat")
        for in_flight in (1, 16)
        for method in METHODS
    )


def test_methods_that_are_compared_run_next_to_each_other() -> None:
    samples = launched(workers(), rounds=2)
    for start in range(0, len(samples), len(METHODS)):
        together = samples[start : start + len(METHODS)]
        assert len({(s.round, s.program, s.in_flight) for s in together}) == 1


def test_the_order_changes_with_the_round_and_follows_from_the_seed() -> None:
    first = [s.method for s in launched(workers(), rounds=5, seed=1)]
    again = [s.method for s in launched(workers(), rounds=5, seed=1)]
    other = [s.method for s in launched(workers(), rounds=5, seed=2)]
    orders = {tuple(first[i : i + 3]) for i in range(0, len(first), 3)}

    assert first == again
    assert first != other
    assert len(orders) > 1


def test_a_lost_worker_is_reported_once_and_left_out_from_then_on() -> None:
    some = workers()
    some["trio"].lost_after = 5
    samples = launched(some, rounds=3)

    of_trio = [s.batch for s in samples if s.method == "trio"]
    assert len(of_trio) == 6
    assert of_trio[5] == Failure("the worker ended by itself")
    assert sum(s.method == "anyio" for s in samples) == 12


def test_loops_are_measured_for_methods_that_have_one() -> None:
    some = {"trio": FakeWorker("trio"), "floor": FakeWorker("floor", has_loop=False)}
    samples = list(
        time_loops(
            some,
            TINY,
            rounds=3,
            launches=10,
            in_flight=16,
            order=random.Random(1),
            tell=nobody,
        )
    )

    assert [(s.round, s.method) for s in samples] == [(1, "trio"), (2, "trio"), (3, "trio")]
    assert some["floor"].asked == [("floor", "tiny", 16)]


@pytest.mark.parametrize("seed", range(5))
def test_ballast_is_measured_beside_the_same_without(seed: int) -> None:
    plain = FakeWorker("trio", "anyio", wall_us=100)
    loaded = FakeWorker("trio", "anyio", wall_us=120)
    samples = list(
        time_with_ballast(
            plain,
            loaded,
            Ballast.MEMORY,
            TINY,
            rounds=2,
            launches=10,
            order=random.Random(seed),
            tell=nobody,
        )
    )

    assert {(s.round, s.in_flight, s.method) for s in samples} == {
        (number, in_flight, method)
        for number in (1, 2)
        for in_flight in (1, 16)
        for method in ("trio", "anyio")
    }
    assert len(samples) == 8
    assert all(
        (s.plain, s.loaded)
        == (batch(100, in_flight=s.in_flight), batch(120, in_flight=s.in_flight))
        for s in samples
    )


def test_a_lost_worker_ends_the_comparison() -> None:
    loaded = FakeWorker("trio")
    loaded.lost_after = 1
    samples = list(
        time_with_ballast(
            FakeWorker("trio"),
            loaded,
            Ballast.MEMORY,
            TINY,
            rounds=9,
            launches=10,
            order=random.Random(1),
            tell=nobody,
        )
    )
    assert len(samples) == 2
    assert samples[1].loaded == Failure("the worker ended by itself")
