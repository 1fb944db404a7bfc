"""A report as pictures; needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent_exec.bench.agent_tools.back_ends import BASE, ENGINE, OURS, TOOL
from agent_exec.bench.agent_tools.figures import Figure
from agent_exec.bench.agent_tools.parts import SHOWN, PartFigure
from agent_exec.bench.agent_tools.report import AgentBenchReport
from agent_exec.bench.agent_tools.rows import PARTS, TITLES, back_ends_of, percent, splits_of
from agent_exec.bench.agent_tools.tasks import PRESETS
from agent_exec.bench.picture import new_picture, save_picture
from agent_exec.errors import Unsupported

_COLORS = {
    BASE: "#57606a",
    "subprocess-thread": "#8c959f",
    "anyio": "#c9d1d9",
    TOOL: "#1f6feb",
    "agent_exec-portable": "#a5d0ff",
    "engine-kernel": "#0a3069",
    ENGINE: "#7c5cd6",
}
_PART_COLORS = ("#c9d1d9", "#1f6feb", "#0a3069", "#e3a008", "#2da44e")
_TOGETHER = "#8c959f"


def draw_throughput(report: AgentBenchReport, path: Path) -> tuple[Path, Path]:
    """Calls per second by preset, split and back end. As `save_picture`.

    Raises:
        Unsupported: matplotlib is not installed, or there is nothing to draw.
    """
    figures = report.figures
    presets = [name for name in PRESETS if any(figure.preset == name for figure in figures)]
    if not presets:
        raise Unsupported("there is nothing to draw: no back end was measured")
    picture = new_picture(12, 3.4 * len(presets) + 0.7)
    axes = picture.subplots(len(presets), 1, squeeze=False)
    for row, preset in zip(axes, presets, strict=True):
        _draw_preset(row[0], preset, [figure for figure in figures if figure.preset == preset])
    picture.suptitle(f"Agents that call tools, 16 calls in flight ({_where(report)})", fontsize=11)
    return save_picture(picture, path)


def _draw_preset(
    axis: Any,  # noqa: ANN401 - matplotlib's Axes, which may not be installed
    preset: str,
    figures: Sequence[Figure],
) -> None:
    back_ends, splits = back_ends_of(figures), splits_of(figures)
    width = 0.84 / len(back_ends)
    cells = {(figure.split, figure.back_end): figure for figure in figures}
    for number, name in enumerate(back_ends):
        places = [index + (number + 0.5) * width - 0.42 for index in range(len(splits))]
        shown = [cells.get((split, name)) for split in splits]
        heights = [0.0 if figure is None else figure.calls_per_s for figure in shown]
        axis.bar(places, heights, width * 0.94, color=_COLORS[name], label=name)
        for place, figure in zip(places, shown, strict=True):
            if figure is not None:
                is_compared = name != BASE and figure.x_base is not None
                more = percent(figure.x_base) if is_compared and figure.x_base else ""
                axis.text(
                    place,
                    figure.calls_per_s,
                    f"{figure.calls_per_s:.0f}\n{more}".strip(),
                    ha="center",
                    va="bottom",
                    fontsize=6.5,
                    fontweight="bold" if name in OURS else "normal",
                )
    axis.set_xticks(range(len(splits)), [split.replace("x", " x ") for split in splits])
    axis.set_ylabel("calls per second", fontsize=8)
    axis.set_xlabel("worker processes x calls in flight in each", fontsize=8)
    axis.set_title(TITLES[preset], fontsize=10, loc="left")
    axis.margins(y=0.2)
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(fontsize=7, ncols=len(back_ends), loc="upper left", frameon=False)


def draw_parts(report: AgentBenchReport, path: Path) -> tuple[Path, Path]:
    """Where the time of one call goes, a stacked bar for each tool. As `save_picture`.

    Raises:
        Unsupported: matplotlib is not installed, or there is nothing to draw.
    """
    figures = report.part_figures
    if not figures:
        raise Unsupported("there is nothing to draw: no call was taken apart")
    # Interpreters take ten times as long as all others: an axis of their own.
    longest = sorted(figure.whole_us for figure in figures)[len(figures) // 2] * 4
    long_tools = {figure.tool for figure in figures if figure.whole_us > longest}
    groups = [
        [figure for figure in figures if (figure.tool in long_tools) is is_long]
        for is_long in (False, True)
    ]
    groups = [group for group in groups if group]
    sizes = [len(group) for group in groups]
    picture = new_picture(11, 0.27 * sum(sizes) + 1.0 * len(groups) + 0.8)
    axes = picture.subplots(len(groups), 1, squeeze=False, height_ratios=[n + 1 for n in sizes])
    for row, group in zip(axes, groups, strict=True):
        _draw_group(row[0], group)
    axes[0][0].legend(fontsize=7.5, ncols=len(PARTS), loc="lower center", bbox_to_anchor=(0.5, 1))
    picture.suptitle(f"Where the time of one call goes ({_where(report)})", fontsize=11)
    return save_picture(picture, path)


def _draw_group(
    axis: Any,  # noqa: ANN401 - matplotlib's Axes, which may not be installed
    figures: Sequence[PartFigure],
) -> None:
    tools = list(dict.fromkeys(figure.tool for figure in figures))
    bars = [
        (figure, tools.index(figure.tool) * (len(SHOWN) + 0.6) + SHOWN.index(figure.back_end))
        for figure in figures
    ]
    done = [0.0] * len(bars)
    for number, (name, color) in enumerate(zip(PARTS, _PART_COLORS, strict=True)):
        widths = [_part(figure, number) for figure, _ in bars]
        axis.barh([place for _, place in bars], widths, left=done, color=color, label=name)
        done = [before + width for before, width in zip(done, widths, strict=True)]
    for figure, place in bars:
        if not figure.is_whole:
            axis.barh([place], [figure.whole_us / 1000], color=_TOGETHER, hatch="//")
        note = "" if figure.is_whole else "  (the parts do not add up)"
        axis.text(
            figure.whole_us / 1000,
            place,
            f" {figure.whole_us / 1000:.2f} ms{note}",
            va="center",
            fontsize=7,
        )
    axis.set_yticks(
        [place for _, place in bars], [f"{figure.tool}, {figure.back_end}" for figure, _ in bars]
    )
    axis.invert_yaxis()
    axis.margins(x=0.12, y=0.01)
    axis.set_xlabel("ms, one call at a time", fontsize=8)
    axis.tick_params(labelsize=7.5)
    axis.spines[["top", "right"]].set_visible(False)


def _part(figure: PartFigure, number: int) -> float:
    """Milliseconds."""
    if not figure.is_whole:
        return 0.0
    parts = (
        figure.agents_us,
        figure.back_end_us,
        figure.launch_us,
        figure.start_us,
        figure.work_us,
    )
    return parts[number] / 1000


def _where(report: AgentBenchReport) -> str:
    machine = report.machine
    return f"{machine.cpus} CPUs, {machine.kernel}, {machine.python}"
