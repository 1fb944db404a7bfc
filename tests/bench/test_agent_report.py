"""What people see of the agent-tools benchmark."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from bench.agent_values import part_sample, report, sample

from agent_exec.bench.agent_tools import (
    AgentBenchOptions,
    AgentBenchReport,
    draw_parts,
    draw_throughput,
    render_table,
    why_no_chart,
    write_json,
    write_page,
)
from agent_exec.bench.failure import Failure
from agent_exec.errors import Unsupported


def full_report() -> AgentBenchReport:
    return report(
        samples=(
            sample(1, "subprocess", 100.0),
            sample(1, "agent_exec", 170.0),
            sample(1, "subprocess", 40.0, preset="all", split="8x2"),
            sample(1, "agent_exec", Failure("the worker ended"), preset="all", split="8x2"),
        ),
        part_samples=(
            part_sample(1, "cat", worked_us=700.0, whole_us=1000.0),
            part_sample(1, "rg", worked_us=900.0, whole_us=300.0),
            part_sample(1, "node", worked_us=9000.0, whole_us=50_000.0),
        ),
        skipped=("anyio: not today",),
        lost=("engine: it ended",),
    )


def test_the_table_says_all_of_it() -> None:
    text = render_table(full_report())
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "workers x in flight subprocess agent_exec" in lines
    assert "1x16 100 170 (+70 %)" in lines
    assert "cat agent_exec 1000 100 200 200 300 200" in lines
    assert "rg agent_exec 300 - - - - -" in lines
    assert "missed all tools, 1x16" not in text
    assert lines[lines.index("Skipped") + 1] == "anyio: not today"
    void = lines[lines.index("Void") + 1 :]
    assert void == [
        "engine: it ended",
        "round 1 is void for agent_exec, all, 8x2: the worker ended",
    ]


def test_the_json_has_figures_and_samples_but_not_every_call(tmp_path: Path) -> None:
    write_json(full_report(), tmp_path / "report.json")
    shown = json.loads((tmp_path / "report.json").read_text())
    assert (shown["format"], len(shown["samples"]), len(shown["parts"])) == (1, 4, 3)
    assert shown["samples"][0]["batch"]["calls"] == 10
    assert "latencies_us" not in shown["samples"][0]["batch"]
    assert shown["samples"][3]["batch"] == {"reason": "the worker ended"}
    assert {figure["tool"] for figure in shown["tools"]} == {"cat", "rg"}


DRAW = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[2]]
from bench.test_agent_report import full_report
from agent_exec.bench.agent_tools import draw_throughput, draw_parts, write_page
folder = Path(sys.argv[1])
draw_throughput(full_report(), folder / "chart.png")
draw_parts(full_report(), folder / "chart-parts.png")
write_page(full_report(), folder / "docs", "agent-exec bench agent-tools")
"""


@pytest.mark.foreign
@pytest.mark.skipif(why_no_chart() is not None, reason=str(why_no_chart()))
def test_charts_and_page_are_written(tmp_path: Path) -> None:
    # In a process of its own: matplotlib leaves threads and warnings of others behind.
    here = Path(__file__).parents[1]
    subprocess.run([sys.executable, "-c", DRAW, str(tmp_path), str(here)], check=True, timeout=50)

    for name in ("chart", "chart-parts", "docs/agent-tools", "docs/agent-tools-parts"):
        png, svg = tmp_path / f"{name}.png", tmp_path / f"{name}.svg"
        assert png.read_bytes().startswith(b"\x89PNG")
        assert b"<svg" in svg.read_bytes()
    svg_text = (tmp_path / "chart.svg").read_text()
    assert svg_text.count("<path") > 10

    page = (tmp_path / "docs" / "agent-tools.md").read_text()
    assert "$ agent-exec bench agent-tools\n" in page
    assert "| 1x16 | 100 | 170 (+70 %) |" in page
    for name in re.findall(r"\]\(([\w.-]+)\)", page):
        assert (tmp_path / "docs" / name).exists()
    assert (tmp_path / "docs" / "agent-tools.json").exists()


def test_without_matplotlib_a_chart_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    for draw in (draw_throughput, draw_parts):
        with pytest.raises(Unsupported, match=r"agent-exec\[bench\]"):
            draw(full_report(), tmp_path / "chart.png")
    with pytest.raises(Unsupported, match=r"agent-exec\[bench\]"):
        write_page(full_report(), tmp_path / "docs", "agent-exec")


def test_a_report_without_figures_has_no_chart(tmp_path: Path) -> None:
    for draw in (draw_throughput, draw_parts):
        with pytest.raises(Unsupported, match="nothing to draw"):
            draw(report(), tmp_path / "chart.png")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        pytest.param({"presets": ("none",)}, "no such preset: none", id="preset"),
        pytest.param({"splits": ("3x5",)}, "no such split: 3x5", id="split"),
        pytest.param({"only": ("bash",)}, "no such back end: bash", id="back-end"),
        pytest.param({"size": "huge"}, "no such size: huge", id="size"),
        pytest.param({"rounds": 0}, "rounds must be at least 1", id="rounds"),
        pytest.param({"calls": 0}, "calls must be at least 1", id="calls"),
    ],
)
def test_options_that_make_no_sense_are_refused(given: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        AgentBenchOptions.choose(**given)  # type: ignore[arg-type]


def test_options_of_a_command_line() -> None:
    quick = AgentBenchOptions.choose(quick=True, calls=8, only=("engine",), splits=("2x8",))
    assert (quick.rounds, quick.calls, quick.back_ends) == (3, 8, ("subprocess", "engine"))
    assert quick.chosen_splits == ((2, 8),)
