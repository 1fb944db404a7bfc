"""What a report looks like: as text, as JSON, as a picture."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest
from bench.values import ballast_sample, belongings, loop_sample, report, sample

from agent_exec.bench.failure import Failure
from agent_exec.bench.launch import draw_chart, render_table, why_no_chart, write_json
from agent_exec.bench.launch.figures import MemoryFigure
from agent_exec.bench.launch.report import LaunchBenchReport
from agent_exec.errors import Unsupported


def full_report() -> LaunchBenchReport:
    """One of everything."""
    return report(
        samples=(
            sample(1, "floor", 100),
            sample(1, "engine-asyncio", 120),
            sample(1, "anyio", 500),
            sample(2, "floor", 100),
            sample(2, "engine-asyncio", 130),
            sample(2, "anyio", Failure("WrongResultError: tiny: exit status 1, not 0")),
            sample(1, "floor", 700, program="cat", in_flight=16),
        ),
        loop_samples=(loop_sample(1, "engine-asyncio", 12), loop_sample(1, "anyio", 900)),
        ballast_samples=(ballast_sample(1, "engine-asyncio", 100, 105),),
        memory=(
            MemoryFigure(
                method="engine-asyncio",
                launches=80_000,
                before=belongings(),
                after=belongings(),
            ),
        ),
        skipped=("node: there is no node on PATH",),
        lost=("uvloop: the worker ended by itself (status -11)",),
    )


@pytest.fixture
def full() -> LaunchBenchReport:
    return full_report()


def test_the_table_shows_everything(full: LaunchBenchReport) -> None:
    before, _, after = render_table(full).partition("Targets (tiny)\n")
    expected = """\
2 CPUs (A CPU), Linux 6.1 x86_64, glibc 2.36, CPython 3.11.7
load average 0.25 before, 0.50 after; 2 rounds of 100 launches, in 12 s
Medians over rounds, microseconds per launch; quartiles in brackets.
x floor compares p50 at 1 in flight, and wall at more.

tiny, 1 in flight
  method          wall  p50   p95  own CPU           x floor
  floor            200  100   400       50  1.00 [1.00 1.00]
  engine-asyncio   250  125   500       62  1.25 [1.22 1.28]
  anyio           1000  500  2000      250  5.00 [5.00 5.00]

cat, 16 in flight
  method  wall   p50   p95  own CPU           x floor
  floor    700  2100  2800      350  1.00 [1.00 1.00]

Event-loop thread, per launch of tiny, 16 in flight (longest: one turn of the loop)
  method           busy  quartiles        CPU  longest  waits
  engine-asyncio   12.0  [12.0 12.0]      6.0      120   1.50
  anyio           900.0  [900.0 900.0]  450.0     9000   1.50

A parent with ballast, beside the same without (tiny)
  ballast  method          in flight  without  with         x without
  memory   engine-asyncio          1      100   105  1.05 [1.05 1.05]

"""
    assert before == expected
    rows = [line.split("  ") for line in after.splitlines()]
    assert [cell.strip() for cell in rows[1] if cell] == [
        "met",
        "async launch through the engine (asyncio), 1 in flight",
        "at most 1.35 x floor",
        "1.250 x floor",
    ]
    assert after.endswith("""\

Skipped
  node: there is no node on PATH

Void
  uvloop: the worker ended by itself (status -11)
  round 2, anyio, tiny, 1 in flight: WrongResultError: tiny: exit status 1, not 0""")


def test_a_report_of_nothing_is_a_table_without_sections() -> None:
    text = render_table(report())
    assert [line for line in text.splitlines() if line and not line.startswith(" ")] == [
        "2 CPUs (A CPU), Linux 6.1 x86_64, glibc 2.36, CPython 3.11.7",
        "load average 0.25 before, 0.50 after; 2 rounds of 100 launches, in 12 s",
        "Medians over rounds, microseconds per launch; quartiles in brackets.",
        "x floor compares p50 at 1 in flight, and wall at more.",
        "Targets (tiny)",
    ]


def test_the_json_holds_figures_targets_and_every_sample(
    full: LaunchBenchReport, tmp_path: Path
) -> None:
    path = tmp_path / "report.json"
    write_json(full, path)
    content = json.loads(path.read_text())

    assert {key: len(value) for key, value in content.items() if isinstance(value, list)} == {
        "figures": 4,
        "loop": 2,
        "ballast": 1,
        "memory": 1,
        "targets": len(full.targets),
        "skipped": 1,
        "failures": 2,
        "samples": 7,
        "loop_samples": 2,
        "ballast_samples": 1,
    }
    assert content["started"] == "2026-01-02T03:04:05+00:00"
    assert content["options"]["rounds"] == 2
    assert content["machine"]["kernel"] == "Linux 6.1"
    assert content["figures"][1]["x_floor"]["median"] == 1.25
    assert content["samples"][5]["batch"] == {
        "reason": "WrongResultError: tiny: exit status 1, not 0"
    }
    assert content["targets"][0] == {
        "figure": "async launch through the engine (asyncio), 1 in flight",
        "wanted": "at most 1.35 x floor",
        "measured": "1.250 x floor",
        "verdict": "met",
    }


def test_without_matplotlib_a_chart_is_refused_and_nothing_else(
    full: LaunchBenchReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(Unsupported, match=r"pip install agent-exec\[bench\]"):
        draw_chart(full, tmp_path / "chart.png")
    assert list(tmp_path.iterdir()) == []


_DRAW = """
import sys
from pathlib import Path
from bench.test_report import full_report
from agent_exec.bench.launch import draw_chart
for path in draw_chart(full_report(), Path(sys.argv[1])):
    print(path)
"""


@pytest.mark.foreign
@pytest.mark.skipif(why_no_chart() is not None, reason=str(why_no_chart()))
@pytest.mark.parametrize("name", ["chart", "chart.png", "chart.svg"])
def test_a_chart_is_a_png_and_an_svg(tmp_path: Path, name: str) -> None:
    # In a process of its own: matplotlib keeps fonts open, and numpy starts threads.
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", _DRAW, str(tmp_path / name)],
        env=os.environ | {"PYTHONPATH": path, "MPLCONFIGDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    png, svg = tmp_path / "chart.png", tmp_path / "chart.svg"
    assert done.stdout.split() == [str(png), str(svg)]
    assert png.read_bytes().startswith(b"\x89PNG")
    assert "<svg" in svg.read_text()


def test_a_report_without_a_ratio_has_no_chart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: ModuleSpec(name, None))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", ModuleType("matplotlib.figure"))
    with pytest.raises(Unsupported, match="nothing to draw"):
        draw_chart(report(samples=(sample(1, "anyio", 500),)), tmp_path / "chart.png")
