"""What one run of the benchmark found out."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from agent_exec.bench.machine import Machine

FORMAT = 1
"""Of the JSON; another number when a field changes its meaning or goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFigure:
    """How long one thing takes."""

    name: str
    unit: str
    """``us`` or ``ms``."""
    median: float
    p95: float
    samples: int
    target: float | None
    """Most that the median should be; None: it only explains others."""

    @property
    def is_met(self) -> bool | None:
        """None without a target."""
        return None if self.target is None else self.median <= self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyBenchReport:
    """All figures, and where they were made."""

    machine: Machine
    load: float
    figures: tuple[PolicyFigure, ...]


def render_table(report: PolicyBenchReport) -> str:
    """A table for people, the targets in its last column."""
    machine = report.machine
    lines = [
        f"{machine.cpu}, {machine.kernel}, {machine.python}; load {report.load:.2f}",
        "",
        f"{'what':<48} {'median':>10} {'p95':>10}  target",
    ]
    for figure in report.figures:
        target = ""
        if figure.target is not None:
            target = f"{figure.target:g} {'met' if figure.is_met else 'MISSED'}"
        lines.append(
            f"{figure.name:<48} {figure.median:>7.1f} {figure.unit} "
            f"{figure.p95:>7.1f} {figure.unit}  {target}".rstrip()
        )
    return "\n".join(lines)


def write_json(report: PolicyBenchReport, path: Path) -> None:
    """All of it.

    Raises:
        OSError: `path` cannot be written.
    """
    shown = {
        "format": FORMAT,
        "machine": asdict(report.machine),
        "load": report.load,
        "figures": [{**asdict(figure), "met": figure.is_met} for figure in report.figures],
    }
    path.write_text(json.dumps(shown, indent=2) + "\n", "utf-8")
