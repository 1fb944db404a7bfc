"""The benchmark of confinement: every kind does what it says, and the report tells it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from realproc import is_built

from agent_exec.bench.sandbox import (
    SandboxBenchReport,
    render_table,
    run_sandbox_benchmark,
    write_json,
)
from agent_exec.bench.sandbox import run as measuring
from agent_exec.bench.sandbox.report import SandboxFigure
from agent_exec.errors import Unsupported

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(not is_built("vfork"), reason="the vfork launcher is not built"),
]

WITHOUT_BWRAP = {
    *((name, n) for name in ("without", "landlock", "all") for n in (1, 16)),
    *((name, 1) for name in ("launcher", "launcher, all", "tool")),
}


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> SandboxBenchReport:
    monkeypatch.setattr(measuring, "_LAUNCHES", 2)
    return run_sandbox_benchmark(rounds=1, tell=lambda _: None)


def test_every_kind_is_measured_and_shown(report: SandboxBenchReport, tmp_path: Path) -> None:
    found = {(figure.name, figure.in_flight) for figure in report.figures}
    bwrap = shutil.which("bwrap") is not None
    boxed = {("bubblewrap", 1), ("bubblewrap", 16), ("tool, bubblewrap", 1)}
    assert found == WITHOUT_BWRAP | (boxed if bwrap else set())
    assert bool(report.missing) is not bwrap
    for figure in report.figures:
        if figure.how.startswith("nothing"):
            assert figure.ratio == 1.0
    table = render_table(report)
    assert all(f"  {name} " in table for name, _ in found)
    write_json(report, tmp_path / "report.json")
    written = json.loads((tmp_path / "report.json").read_text())
    assert len(written["figures"]) == len(report.figures)


def test_the_target_is_on_all_that_confines() -> None:
    figure = SandboxFigure(
        name="all", how="x", in_flight=1, launches=1, launch_us=1.0, ratio=1.1,
        quartiles=(1.0, 1.2), target=1.1,
    )  # fmt: skip
    assert figure.is_met


def test_where_there_is_no_seccomp_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "why_no_filter", lambda: "no reason")
    with pytest.raises(Unsupported, match="no reason"):
        run_sandbox_benchmark(rounds=1, tell=lambda _: None)
