"""A report as text."""

from __future__ import annotations

from collections.abc import Sequence

from agent_exec.bench.columns import columns
from agent_exec.bench.launch.ballast import Ballast
from agent_exec.bench.launch.figures import Figure, cells_of
from agent_exec.bench.launch.report import LaunchBenchReport
from agent_exec.bench.spread import Spread


def render_table(report: LaunchBenchReport) -> str:
    """Everything that was found out, for a terminal without colours."""
    sections = [_head(report)]
    sections += [_timing(figures) for figures in cells_of(report.figures)]
    if report.loop_figures:
        sections.append(_loops(report))
    if report.ballast_figures:
        sections.append(_ballast(report))
    sections.append(_targets(report))
    if report.skipped:
        sections.append("\n".join(["Skipped", *(f"  {line}" for line in report.skipped)]))
    if report.failures:
        sections.append("\n".join(["Void", *(f"  {line}" for line in report.failures)]))
    return "\n\n".join(sections)


def _head(report: LaunchBenchReport) -> str:
    machine, options = report.machine, report.options
    return (
        f"{machine.cpus} CPUs ({machine.cpu}), {machine.kernel} {machine.architecture}, "
        f"{machine.libc}, {machine.python}\n"
        f"load average {report.load_before:.2f} before, {report.load_after:.2f} after; "
        f"{options.rounds} rounds of {options.launches} launches, in {report.duration_s:.0f} s\n"
        "Medians over rounds, microseconds per launch; quartiles in brackets.\n"
        "x floor compares p50 at 1 in flight, and wall at more."
    )


def _timing(figures: Sequence[Figure]) -> str:
    first = figures[0]
    rows = [
        (
            figure.method,
            f"{figure.wall_us:.0f}",
            f"{figure.p50_us:.0f}",
            f"{figure.p95_us:.0f}",
            f"{figure.cpu_us:.0f}",
            "-" if figure.x_floor is None else _ratio(figure.x_floor),
        )
        for figure in figures
    ]
    head = ("method", "wall", "p50", "p95", "own CPU", "x floor")
    return f"{first.program}, {first.in_flight} in flight\n{columns(head, rows)}"


def _loops(report: LaunchBenchReport) -> str:
    figures = sorted(report.loop_figures, key=lambda figure: figure.wall_us.median)
    first = figures[0]
    rows = [
        (
            figure.method,
            f"{figure.wall_us.median:.1f}",
            f"[{figure.wall_us.lower:.1f} {figure.wall_us.upper:.1f}]",
            f"{figure.cpu_us:.1f}",
            f"{figure.longest_us:.0f}",
            f"{figure.turns:.2f}",
        )
        for figure in figures
    ]
    head = ("method", "busy", "quartiles", "CPU", "longest", "waits")
    title = (
        f"Event-loop thread, per launch of {first.program}, {first.in_flight} in flight "
        "(longest: one turn of the loop)"
    )
    return f"{title}\n{columns(head, rows)}"


def _ballast(report: LaunchBenchReport) -> str:
    rows = [
        (
            figure.ballast.value,
            figure.method,
            str(figure.in_flight),
            f"{figure.plain_us:.0f}",
            f"{figure.loaded_us:.0f}",
            _ratio(figure.ratio),
        )
        for figure in sorted(
            report.ballast_figures,
            key=lambda f: (list(Ballast).index(f.ballast), f.in_flight, f.method),
        )
    ]
    head = ("ballast", "method", "in flight", "without", "with", "x without")
    return f"A parent with ballast, beside the same without (tiny)\n{columns(head, rows)}"


def _targets(report: LaunchBenchReport) -> str:
    rows = [
        (target.verdict.value, target.figure, target.wanted, target.measured)
        for target in report.targets
    ]
    return f"Targets (tiny)\n{columns(('', 'figure', 'wanted', 'measured'), rows, numbers=False)}"


def _ratio(spread: Spread) -> str:
    return f"{spread.median:.2f} [{spread.lower:.2f} {spread.upper:.2f}]"
