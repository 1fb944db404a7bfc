"""Real workers, every method, and what happens when a launch goes wrong."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from realproc import is_built

from agent_exec.bench import linked
from agent_exec.bench.failure import Failure
from agent_exec.bench.launch import METHOD_NAMES, workers
from agent_exec.bench.launch.ballast import Ballast, why_not
from agent_exec.bench.launch.measured import Batch, LoopTime
from agent_exec.bench.launch.programs import Program, Workbench
from agent_exec.bench.launch.worker import MeasureBatch
from agent_exec.bench.launch.workers import Worker
from agent_exec.bench.linked import WorkerLostError

WITH_LOOP = {
    "engine-asyncio",
    "engine-trio",
    "tool-asyncio",
    "tool-trio",
    "portable-asyncio",
    "asyncio",
    "anyio",
    "trio",
    "bash-asyncio",
}

FOREIGN = {"node", "uvloop"}
"""Peers that do not come with the extra `test`: a machine may be without."""
OPTIONAL = {*FOREIGN, "bash", "bash-asyncio"}
"""Peers that an installation may be without; that they are told of is tested below."""


def as_case(method: str) -> object:
    return pytest.param(method, marks=pytest.mark.foreign) if method in FOREIGN else method


def pid_of(worker: Worker) -> int:
    return worker._process.pid


@pytest.mark.parametrize("method", [as_case(method) for method in METHOD_NAMES])
def test_a_method_measures_right_launches_and_voids_wrong_ones(
    bench: Workbench, method: str
) -> None:
    if method.startswith(("engine", "tool")) and not is_built("native"):
        pytest.skip("the native engine is not built")
    tiny, cat = bench.programs
    with Worker(bench, (method,)) as worker:
        if method in OPTIONAL and worker.skipped:
            pytest.skip(worker.skipped[method])
        assert worker.skipped == {}
        for program, in_flight in ((tiny, 1), (tiny, 16), (cat, 16)):
            batch = worker.measure(method, program, 20, in_flight)
            assert isinstance(batch, Batch), batch
            assert (batch.launches, batch.in_flight) == (20, in_flight)
            assert 0 < batch.p50_us <= batch.p95_us

        other_stdout = replace(tiny, stdout=b"on stdout: 2\n")
        other_stderr = replace(tiny, stderr=b"")
        failing = Program(name="failing", argv=("/bin/sh", "-c", "exit 3"), stdout=b"")
        for wrong in (other_stdout, other_stderr, failing):
            for in_flight in (1, 16):
                assert isinstance(worker.measure(method, wrong, 20, in_flight), Failure)

        again = worker.measure(method, tiny, 20, 16)
        assert isinstance(again, Batch), again

        loop_time = worker.loop_time(method, tiny, 20, 16)
        if method not in WITH_LOOP:
            assert loop_time is None
        else:
            assert isinstance(loop_time, LoopTime), loop_time
            assert loop_time.turns > 0
            assert loop_time.wall_us > 0
            assert loop_time.wall_us <= loop_time.longest_us * loop_time.turns
            assert isinstance(worker.loop_time(method, failing, 20, 16), Failure)


def test_a_failure_says_what_was_wrong(bench: Workbench) -> None:
    wrong = replace(bench.programs[0], stdout=b"else")
    with Worker(bench, ("asyncio",)) as worker:
        assert worker.measure("asyncio", wrong, 1, 16) == Failure(
            r"WrongResultError: tiny: stdout is b'on stdout: 1\n', not b'else'"
        )


def test_a_method_that_is_not_to_be_had_is_skipped_with_its_reason(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with Worker(bench, ("node", "subprocess")) as worker:
        assert (worker.skipped, worker.methods) == (
            {"node": "there is no node on PATH"},
            ("subprocess",),
        )


def test_a_worker_that_ends_is_lost_and_stays_lost(bench: Workbench) -> None:
    with Worker(bench, ("subprocess",)) as worker:
        os.kill(pid_of(worker), signal.SIGKILL)
        for _ in range(2):
            with pytest.raises(WorkerLostError, match=r"ended by itself \(status -9\)"):
                worker.measure("subprocess", bench.programs[0], 1, 1)


def test_a_worker_that_does_not_answer_is_ended_with_its_children(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    stuck = Program(name="stuck", argv=("/bin/sh", "-c", f"exec sleep 1000 >{fifo}"), stdout=b"")
    with Worker(bench, ("subprocess",)) as worker:
        monkeypatch.setattr(workers, "_BATCH_PATIENCE_S", 0.5)
        with pytest.raises(WorkerLostError, match="did not answer"):
            worker.measure("subprocess", stuck, 1, 1)
    # End of file: nobody holds the other end any more.
    os.set_blocking(reader, True)
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_a_worker_whose_answer_nobody_wants_goes_quietly(
    bench: Workbench, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    waiting = Program(name="waiting", argv=("/bin/sh", "-c", f"read word <{gate}"), stdout=b"")
    with Worker(bench, ("subprocess",)) as worker:
        worker._process.send(MeasureBatch("subprocess", waiting, 1, 1))
        opened = os.open(gate, os.O_WRONLY)
        worker._process._link.close()
        os.close(opened)  # the program ends, with status 1: a failure to be told
    assert worker._process._process.returncode == 0
    assert capfd.readouterr().err == ""


def test_a_worker_that_cannot_start_is_lost(
    bench: Workbench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linked, "_MAIN", "raise SystemExit(3)")
    with pytest.raises(WorkerLostError, match=r"ended by itself \(status 3\)"):
        Worker(bench, ("subprocess",))


@pytest.mark.parametrize("ballast", [Ballast.DESCRIPTORS_BEFORE, Ballast.DESCRIPTORS_AFTER])
def test_a_worker_carries_its_ballast(bench: Workbench, ballast: Ballast) -> None:
    reason = why_not(ballast)
    if reason is not None:
        pytest.skip(reason)
    with Worker(bench, ("subprocess",)) as plain, Worker(bench, ("subprocess",), ballast) as loaded:
        more = loaded.count_belongings().descriptors - plain.count_belongings().descriptors
        assert more == 10_000
        assert isinstance(loaded.measure("subprocess", bench.programs[0], 2, 1), Batch)
