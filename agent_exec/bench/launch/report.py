"""Everything one run of the benchmark found out."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from agent_exec.bench.launch.figures import (
    BallastFigure,
    Figure,
    LoopFigure,
    MemoryFigure,
    ballast_figures_of,
    failures_of,
    figures_of,
    loop_figures_of,
)
from agent_exec.bench.launch.options import LaunchBenchOptions
from agent_exec.bench.launch.rounds import BallastSample, LoopSample, Sample
from agent_exec.bench.launch.targets import judge
from agent_exec.bench.machine import Machine
from agent_exec.bench.target import Target

FORMAT = 1
"""Of the JSON; another number when a field changes its meaning or goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchBenchReport:
    """The samples, and what follows from them."""

    started: datetime
    duration_s: float
    machine: Machine
    load_before: float
    load_after: float
    options: LaunchBenchOptions
    samples: tuple[Sample, ...]
    loop_samples: tuple[LoopSample, ...]
    ballast_samples: tuple[BallastSample, ...]
    memory: tuple[MemoryFigure, ...]
    skipped: tuple[str, ...]
    """What could not be measured here, and why; a line each."""
    lost: tuple[str, ...]
    """What broke apart from single samples; a line each."""

    @property
    def figures(self) -> list[Figure]:
        """Times and ratios to the floor."""
        return figures_of(self.samples)

    @property
    def loop_figures(self) -> list[LoopFigure]:
        """What launches cost the thread of an event loop."""
        return loop_figures_of(self.loop_samples)

    @property
    def ballast_figures(self) -> list[BallastFigure]:
        """What a heavy parent costs."""
        return ballast_figures_of(self.ballast_samples)

    @property
    def failures(self) -> list[str]:
        """Every void measurement, a line each. Empty when all results were right."""
        return [
            *self.lost,
            *failures_of(self.samples, self.loop_samples, self.ballast_samples),
        ]

    @property
    def targets(self) -> list[Target]:
        """What is to be reached, and whether it was."""
        return judge(self.samples, self.loop_figures, self.ballast_figures, self.memory)


def write_json(report: LaunchBenchReport, path: Path) -> None:
    """Write figures, targets and every sample to `path`.

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
        "loop": [asdict(figure) for figure in report.loop_figures],
        "ballast": [asdict(figure) for figure in report.ballast_figures],
        "memory": [asdict(figure) for figure in report.memory],
        "targets": [asdict(target) for target in report.targets],
        "skipped": report.skipped,
        "failures": report.failures,
        "samples": [asdict(sample) for sample in report.samples],
        "loop_samples": [asdict(sample) for sample in report.loop_samples],
        "ballast_samples": [asdict(sample) for sample in report.ballast_samples],
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
