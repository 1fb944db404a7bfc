"""A report as text, for a terminal without colours."""

from __future__ import annotations

from collections.abc import Sequence

from agent_exec.bench.agent_tools.report import AgentBenchReport
from agent_exec.bench.agent_tools.rows import tables_of
from agent_exec.bench.columns import columns


def render_table(report: AgentBenchReport) -> str:
    """Everything that was found out."""
    sections = ["\n".join(head_of(report))]
    for table in tables_of(report):
        numbers = table.title != "Targets"
        sections.append(f"{table.title}\n{columns(table.head, table.rows, numbers=numbers)}")
    for title, lines in (("Skipped", report.skipped), ("Void", report.failures)):
        if lines:
            sections.append(_list(title, lines))
    return "\n\n".join(sections)


def head_of(report: AgentBenchReport) -> list[str]:
    """Where and how it was measured: a line each."""
    machine, options = report.machine, report.options
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    lines = (
        f"{machine.cpus} CPUs ({machine.cpu}), {machine.memory_mib} MiB, {machine.kernel} "
        f"{machine.architecture}, {machine.libc}, {machine.python}\n"
        f"{versions}\n"
        f"load average {report.load_before:.2f} before, {report.load_after:.2f} after; "
        f"{options.rounds} rounds of about {options.calls} calls, {options.size} sources, "
        f"in {report.duration_s:.0f} s\n"
        "Medians over rounds; ratios are taken within a round. Every answer was checked."
    )
    return lines.splitlines()


def _list(title: str, lines: Sequence[str]) -> str:
    return "\n".join([title, *(f"  {line}" for line in lines)])
