"""What one run of the benchmark found out."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from agent_exec.bench.machine import Machine

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
    machine = report.machine
    lines = [
        f"{machine.cpu}, {machine.kernel}, {machine.python}; load {report.load:.2f}",
        "",
        f"{'in flight':>9}  {'what':<18} {'us':>7}  {'x without':>9}  {'quartiles':<11}  how",
    ]
    for figure in report.figures:
        target = ""
        if figure.target is not None:
            target = f" (target {figure.target:g}: {'met' if figure.is_met else 'MISSED'})"
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
    shown = {
        "format": FORMAT,
        "machine": asdict(report.machine),
        "load": report.load,
        "missing": list(report.missing),
        "figures": [{**asdict(figure), "met": figure.is_met} for figure in report.figures],
    }
    path.write_text(json.dumps(shown, indent=2) + "\n", "utf-8")
