"""What one run of the benchmark found out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agent_exec.bench.machine import Machine
from agent_exec.bench.written import heading, verdict, write_figures

FORMAT = 1
"""Of the JSON; another number when a field changes its meaning or goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxFigure:
    """One way of confining a child, beside the same launch without."""

    name: str
    how: str
    """What the child is confined by, and who puts it on."""
    in_flight: int
    launches: int
    launch_us: float
    """Median over rounds, microseconds a launch."""
    ratio: float
    """Median over rounds of: this, by the launch without in the same round."""
    quartiles: tuple[float, float]
    """Of the same."""
    target: float | None
    """Most that `ratio` should be; None: it is there to compare."""

    @property
    def is_met(self) -> bool | None:
        """None without a target."""
        return None if self.target is None else self.ratio <= self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxBenchReport:
    """All figures, and where they were made."""

    machine: Machine
    load: float
    missing: tuple[str, ...]
    """Why something was not measured."""
    figures: tuple[SandboxFigure, ...]


def render_table(report: SandboxBenchReport) -> str:
    """A table for people, the targets in its last column."""
    lines = [
        heading(report.machine, report.load),
        "",
        f"{'in flight':>9}  {'what':<18} {'us':>7}  {'x without':>9}  {'quartiles':<11}  how",
    ]
    for figure in report.figures:
        target = "" if figure.target is None else f" (target {verdict(figure)})"
        low, high = figure.quartiles
        lines.append(
            f"{figure.in_flight:>9}  {figure.name:<18} {figure.launch_us:>7.0f}  "
            f"{figure.ratio:>9.2f}  {low:.2f}-{high:.2f}    {figure.how}{target}"
        )
    return "\n".join([*lines, *(f"not measured: {why}" for why in report.missing)])


def write_json(report: SandboxBenchReport, path: Path) -> None:
    """All of it.

    Raises:
        OSError: `path` cannot be written.
    """
    about = {"format": FORMAT, "load": report.load, "missing": report.missing}
    write_figures(path, about, report.machine, report.figures)
