"""Everything one run of the benchmark found out."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from agent_exec.bench.agent_tools.figures import (
    Figure,
    ToolFigure,
    failures_of,
    figures_of,
    tool_figures_of,
)
from agent_exec.bench.agent_tools.measured import Batch
from agent_exec.bench.agent_tools.options import AgentBenchOptions
from agent_exec.bench.agent_tools.parts import PartFigure, PartSample, part_figures_of
from agent_exec.bench.agent_tools.rounds import Sample
from agent_exec.bench.agent_tools.targets import judge
from agent_exec.bench.machine import Machine
from agent_exec.bench.target import Target

FORMAT = 1
"""Of the JSON; another number when a field changes its meaning or goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentBenchReport:
    """The samples, and what follows from them."""

    started: datetime
    duration_s: float
    machine: Machine
    load_before: float
    load_after: float
    options: AgentBenchOptions
    tools: tuple[str, ...]
    """The names of the tasks that were measured; samples have their places."""
    samples: tuple[Sample, ...]
    part_samples: tuple[PartSample, ...]
    skipped: tuple[str, ...]
    """What could not be measured here, and why; a line each."""
    lost: tuple[str, ...]
    """What broke apart from single samples; a line each."""

    @property
    def figures(self) -> list[Figure]:
        """Throughput, CPU and latencies of each back end."""
        return figures_of(self.samples)

    @property
    def tool_figures(self) -> list[ToolFigure]:
        """Latencies of each tool."""
        return tool_figures_of(self.samples, self.tools)

    @property
    def part_figures(self) -> list[PartFigure]:
        """Where the time of one call goes."""
        return part_figures_of(self.part_samples)

    @property
    def failures(self) -> list[str]:
        """Every void measurement, a line each. Empty when all answers were right."""
        return [*self.lost, *failures_of(self.samples)]

    @property
    def targets(self) -> list[Target]:
        """What is to be reached, and whether it was."""
        return judge(self.samples)


def write_json(report: AgentBenchReport, path: Path) -> None:
    """Write figures, targets and every sample to `path`; of calls, only the figures.

    Raises:
        OSError: `path` cannot be written.
    """
    content = {
        "format": FORMAT,
        "started": report.started.isoformat(timespec="seconds"),
        "duration_s": report.duration_s,
        "machine": asdict(report.machine),
        "load_before": report.load_before,
        "load_after": report.load_after,
        "options": asdict(report.options),
        "figures": [asdict(figure) for figure in report.figures],
        "tools": [asdict(figure) for figure in report.tool_figures],
        "parts": [
            {**asdict(figure), "is_whole": figure.is_whole} for figure in report.part_figures
        ],
        "targets": [asdict(target) for target in report.targets],
        "skipped": report.skipped,
        "failures": report.failures,
        "samples": [_shown(sample) for sample in report.samples],
        "part_samples": [asdict(sample) for sample in report.part_samples],
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _shown(sample: Sample) -> dict[str, object]:
    shown = asdict(sample)
    if isinstance(sample.batch, Batch):
        del shown["batch"]["latencies_us"]
    return shown
