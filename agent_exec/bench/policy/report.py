"""What one run of the benchmark found out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agent_exec.bench.machine import Machine
from agent_exec.bench.written import heading, verdict, write_figures

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
    quiet: float
    """See `agent_exec.bench.spread.quiet_median`. The target is for the median of all."""
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
    lines = [
        heading(report.machine, report.load),
        "",
        f"{'what':<48} {'median':>10} {'p95':>10} {'quiet':>10}  target",
    ]
    lines += [
        f"{figure.name:<48} {figure.median:>7.1f} {figure.unit} "
        f"{figure.p95:>7.1f} {figure.unit} {figure.quiet:>7.1f} {figure.unit}  "
        f"{verdict(figure)}".rstrip()
        for figure in report.figures
    ]
    return "\n".join(lines)


def write_json(report: PolicyBenchReport, path: Path) -> None:
    """All of it.

    Raises:
        OSError: `path` cannot be written.
    """
    about = {"format": FORMAT, "load": report.load}
    write_figures(path, about, report.machine, report.figures)
