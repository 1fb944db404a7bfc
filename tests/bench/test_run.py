"""The whole benchmark on a small scale, with real launches."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from agent_exec.bench.launch import (
    LaunchBenchOptions,
    programs,
    render_table,
    run,
    run_launch_benchmark,
    write_json,
)
from agent_exec.bench.launch.ballast import Ballast
from agent_exec.bench.launch.programs import Program
from agent_exec.errors import Unsupported


def options(*methods: str, ballast: bool = False, memory: int = 0) -> LaunchBenchOptions:
    return LaunchBenchOptions(
        rounds=2, launches=20, methods=methods, ballast=ballast, memory_launches=memory
    )


def test_a_run_measures_what_was_chosen_and_the_floor(tmp_path: Path) -> None:
    told: list[str] = []
    report = run_launch_benchmark(options("subprocess", "asyncio"), tell=told.append)

    assert report.failures == []
    assert {(f.program, f.in_flight, f.method, f.rounds) for f in report.figures} == {
        (program, in_flight, method, 2)
        for program in ("tiny", "cat")
        for in_flight in (1, 16)
        for method in ("floor", "subprocess", "asyncio")
    }
    assert all(f.x_floor is not None and f.cpu_us > 0 for f in report.figures)
    assert [(f.method, f.in_flight, f.rounds) for f in report.loop_figures] == [("asyncio", 16, 3)]
    assert (report.ballast_figures, report.memory) == ([], ())
    assert told[0] == "compiling the floor and the programs"
    assert "round 2 of 2" in told

    text = render_table(report)
    for title in ("tiny, 1 in flight", "cat, 16 in flight", "Event-loop thread", "Targets"):
        assert title in text
    write_json(report, tmp_path / "report.json")
    assert len(json.loads((tmp_path / "report.json").read_text())["samples"]) == 24


def test_a_wrong_launch_voids_its_batches_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong_cat(worktree: Path) -> Program:
        return Program(name="cat", argv=("/bin/cat", str(worktree)), stdout=b"")

    monkeypatch.setattr(programs, "_cat", wrong_cat)
    report = run_launch_benchmark(options("subprocess"), tell=lambda _: None)

    assert {(f.program, f.method) for f in report.figures} == {
        ("tiny", "floor"),
        ("tiny", "subprocess"),
    }
    assert len(report.failures) == 8
    assert (
        "round 1, subprocess, cat, 1 in flight: WrongResultError: cat: exit status 1, not 0"
        in report.failures
    )
    assert report.failures[0] in render_table(report)


def test_what_is_missing_is_skipped_with_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for tool in ("cc", "ld", "as"):
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    monkeypatch.setenv("PATH", str(tmp_path))
    told: list[str] = []
    report = run_launch_benchmark(options("node", "bash", "subprocess"), tell=told.append)

    assert report.skipped == (
        "node: there is no node on PATH",
        "bash: there is no bash on PATH",
    )
    assert {f.method for f in report.figures} == {"floor", "subprocess"}
    assert "skipped node: there is no node on PATH" in told


def test_a_ballast_that_the_machine_cannot_carry_is_skipped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "why_not", lambda ballast: f"no {ballast.value} today")
    report = run_launch_benchmark(options("subprocess", ballast=True), tell=lambda _: None)

    assert report.skipped == tuple(
        f"{ballast.words}: no {ballast.value} today"
        for ballast in Ballast
        if ballast is not Ballast.NONE
    )


def test_ballast_is_compared_for_the_chosen_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    only = Ballast.DESCRIPTORS_AFTER
    monkeypatch.setattr(run, "why_not", lambda ballast: None if ballast is only else "not now")
    report = run_launch_benchmark(options("subprocess", ballast=True), tell=lambda _: None)

    assert report.failures == []
    assert {(f.ballast, f.in_flight, f.method, f.rounds) for f in report.ballast_figures} == {
        (only, in_flight, "subprocess", 2) for in_flight in (1, 16)
    }


def test_memory_is_counted_for_our_methods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "WITHOUT_GROWTH", ("subprocess",))
    report = run_launch_benchmark(options("subprocess", memory=100), tell=lambda _: None)

    (figure,) = report.memory
    assert (figure.method, figure.launches) == ("subprocess", 80)
    assert figure.after.descriptors == figure.before.descriptors
    assert (figure.before.children, figure.after.children) == (0, 0)
    assert figure.before.rss_bytes > 0


def test_elsewhere_than_on_linux_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(Unsupported, match="is for Linux"):
        run_launch_benchmark(options("subprocess"), tell=lambda _: None)
