"""The benchmark of decisions: everything is measured, and the report tells it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from realproc import is_built

from agent_exec.bench.machine import look
from agent_exec.bench.policy import (
    PolicyBenchReport,
    render_table,
    run_policy_benchmark,
    write_json,
)
from agent_exec.bench.policy.report import PolicyFigure

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(not is_built("vfork"), reason="the vfork launcher is not built"),
]

TARGETS = {
    "decide an argv that is resolved": 60,
    "plan a shell text": 120,
    "load the default policy and every tool table": 50,
    "agent-exec check, as a process": 200,
    "agent-exec run, of what does nothing": 150,
    "agent-exec --help": 150,
    "the hook of a host, without a daemon": 200,
    "the hook of a host, with a daemon": 60,
}


def test_everything_is_measured_and_shown(tmp_path: Path) -> None:
    told: list[str] = []
    report = run_policy_benchmark(quick=True, tell=told.append)
    assert {f.name: f.target for f in report.figures if f.target is not None} == TARGETS
    for figure in report.figures:
        assert 0 < figure.quiet <= figure.p95
        assert figure.median <= figure.p95
    assert told
    table = render_table(report)
    assert all(f"\n{figure.name} " in table for figure in report.figures)
    write_json(report, tmp_path / "report.json")
    written = json.loads((tmp_path / "report.json").read_text())
    assert [each["met"] for each in written["figures"]] == [f.is_met for f in report.figures]


@pytest.mark.parametrize(
    ("median", "is_met", "shown"), [(60.0, True, "60 met"), (61.0, False, "60 MISSED")]
)
def test_the_target_is_for_the_median(median: float, is_met: bool, shown: str) -> None:
    figure = PolicyFigure(
        name="x", unit="us", median=median, p95=90.0, quiet=50.0, samples=9, target=60
    )
    assert figure.is_met is is_met
    report = PolicyBenchReport(machine=look(), load=0.0, figures=(figure,))
    assert render_table(report).endswith(shown)
