"""A report as tables of words: what the terminal and the page in Markdown show alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent_exec.bench.agent_tools.back_ends import BACK_END_NAMES, BASE, ENGINE, TOOL
from agent_exec.bench.agent_tools.figures import Figure
from agent_exec.bench.agent_tools.options import SPLITS
from agent_exec.bench.agent_tools.parts import SHOWN
from agent_exec.bench.agent_tools.report import AgentBenchReport
from agent_exec.bench.agent_tools.tasks import PRESETS
from agent_exec.bench.spread import Spread

TITLES = {
    "no-interpreters": "The tools without the interpreters",
    "all": "All tools",
    "shell-text": "Shell text: by the others with bash -c, by agent_exec without bash",
}
_PER_TOOL = (BASE, "subprocess-thread", TOOL, ENGINE)
"""Back ends whose tools are shown one by one; the JSON has all."""
PARTS = ("agents", "back end", "launch", "tool starts", "tool works")


@dataclass(frozen=True, slots=True)
class Rows:
    """One table."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables_of(report: AgentBenchReport) -> list[Rows]:
    """All that have something to show: throughput and cost, per tool, parts, targets."""
    figures = report.figures
    tables = []
    for preset in PRESETS:
        of_preset = [figure for figure in figures if figure.preset == preset]
        if of_preset:
            tables += [_throughput(preset, of_preset), _cost(preset, of_preset)]
    tables += _tools(report)
    if report.part_figures:
        tables.append(_parts(report))
    tables.append(_targets(report))
    return tables


def percent(ratio: Spread) -> str:
    """``+70 %``."""
    return f"{(ratio.median - 1) * 100:+.0f} %"


def back_ends_of(figures: Sequence[Figure]) -> list[str]:
    """Those that were measured, in their usual order."""
    found = {figure.back_end for figure in figures}
    return [name for name in BACK_END_NAMES if name in found]


def splits_of(figures: Sequence[Figure]) -> list[str]:
    """Those that were measured, in their usual order."""
    found = {figure.split for figure in figures}
    return [str(split) for split in SPLITS if str(split) in found]


def _throughput(preset: str, figures: Sequence[Figure]) -> Rows:
    back_ends = back_ends_of(figures)
    cells = {(figure.split, figure.back_end): figure for figure in figures}
    rows = [
        (split, *(_calls(cells.get((split, name))) for name in back_ends))
        for split in splits_of(figures)
    ]
    return Rows(
        f"{TITLES[preset]}: calls per second, and how much more than {BASE}",
        ("workers x in flight", *back_ends),
        tuple(rows),
    )


def _calls(figure: Figure | None) -> str:
    if figure is None:
        return "-"
    if figure.x_base is None or figure.back_end == BASE:
        return f"{figure.calls_per_s:.0f}"
    return f"{figure.calls_per_s:.0f} ({percent(figure.x_base)})"


def _cost(preset: str, figures: Sequence[Figure]) -> Rows:
    rows = [
        (
            figure.split,
            figure.back_end,
            f"{figure.runtime_cpu_us:.0f}",
            f"{figure.children_cpu_us:.0f}",
            _ms(figure.p50_us),
            _ms(figure.p95_us),
            _ms(figure.p99_us),
            "-" if figure.x_base is None else _quartiles(figure.x_base),
        )
        for split in splits_of(figures)
        for name in back_ends_of(figures)
        for figure in figures
        if (figure.split, figure.back_end) == (split, name)
    ]
    return Rows(
        f"{TITLES[preset]}: CPU of a call in µs, latency in ms, x calls/s with quartiles",
        ("split", "back end", "runtime CPU", "tools' CPU", "p50", "p95", "p99", f"x {BASE}"),
        tuple(rows),
    )


def _tools(report: AgentBenchReport) -> list[Rows]:
    """Of the first split, by preset."""
    figures = report.tool_figures
    split = report.options.splits[0]
    tables = []
    for preset in PRESETS:
        found = [f for f in figures if (f.preset, f.split) == (preset, split)]
        names = [name for name in _PER_TOOL if any(f.back_end == name for f in found)]
        cells = {(f.tool, f.back_end): f for f in found}
        rows = []
        for tool in dict.fromkeys(f.tool for f in found):
            of_tool = [cells.get((tool, name)) for name in names]
            rows.append(
                (
                    tool,
                    *(
                        "-" if f is None else f"{_ms(f.p50_us)} / {_ms(f.p95_us)} / {_ms(f.p99_us)}"
                        for f in of_tool
                    ),
                )
            )
        if rows:
            rows.sort(key=lambda row: report.tools.index(row[0]))
            title = f"{TITLES[preset]}, {split}: p50 / p95 / p99 of a call, in ms"
            tables.append(Rows(title, ("tool", *names), tuple(rows)))
    return tables


def _parts(report: AgentBenchReport) -> Rows:
    rows = []
    for name in SHOWN:
        for figure in report.part_figures:
            if figure.back_end == name:
                parts = (
                    figure.agents_us,
                    figure.back_end_us,
                    figure.launch_us,
                    figure.start_us,
                    figure.work_us,
                )
                shown = [f"{part:.0f}" for part in parts] if figure.is_whole else ["-"] * len(PARTS)
                rows.append((figure.tool, name, f"{figure.whole_us:.0f}", *shown))
    return Rows(
        "Where the time of one call goes, one at a time, in µs (- where the parts do not add up)",
        ("tool", "back end", "whole", *PARTS),
        tuple(rows),
    )


def _targets(report: AgentBenchReport) -> Rows:
    rows = [
        (target.verdict.value, target.figure, target.wanted, target.measured)
        for target in report.targets
    ]
    return Rows("Targets", ("", "figure", "wanted", "measured"), tuple(rows))


def _ms(us: float) -> str:
    return f"{us / 1000:.1f}" if us < 100_000 else f"{us / 1000:.0f}"


def _quartiles(spread: Spread) -> str:
    return f"{spread.median:.2f} [{spread.lower:.2f} {spread.upper:.2f}]"
