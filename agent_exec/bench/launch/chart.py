"""A report as a picture; needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent_exec.bench.launch.figures import Figure, cells_of
from agent_exec.bench.launch.methods import FLOOR, OURS
from agent_exec.bench.launch.report import LaunchBenchReport
from agent_exec.bench.picture import new_picture, save_picture
from agent_exec.bench.spread import Spread
from agent_exec.errors import Unsupported

_OURS, _PEERS, _FLOOR = "#1f6feb", "#9aa4af", "#24292f"
_COLUMNS = 2
_TICKS = (0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


def draw_chart(report: LaunchBenchReport, path: Path) -> tuple[Path, Path]:
    """Draw `path` with the suffix .png, and again with .svg; return both paths.

    Raises:
        Unsupported: matplotlib is not installed, or there is nothing to draw.
        OSError: A file cannot be written.
    """
    cells = [_with_ratio(figures) for figures in cells_of(report.figures)]
    cells = [bars for bars in cells if bars]
    if not cells:
        raise Unsupported("there is nothing to draw: no method was measured beside the floor")
    rows = -(-len(cells) // _COLUMNS)
    height = 0.28 * max(map(len, cells)) + 1.1
    picture = new_picture(6.5 * _COLUMNS, height * rows + 0.6)
    axes = list(picture.subplots(rows, _COLUMNS, squeeze=False).flat)
    for axis, bars in zip(axes, cells, strict=False):
        _draw_cell(axis, bars)
    for axis in axes[len(cells) :]:
        axis.set_visible(False)
    machine = report.machine
    picture.suptitle(
        "One launch with captured output, as a multiple of a C floor "
        f"({machine.cpus} CPUs, {machine.kernel}, {machine.python})",
        fontsize=11,
    )
    return save_picture(picture, path)


def _with_ratio(figures: Sequence[Figure]) -> list[tuple[Figure, Spread]]:
    bars = [(figure, figure.x_floor) for figure in figures if figure.x_floor is not None]
    return sorted(bars, key=lambda bar: bar[1].median, reverse=True)


def _draw_cell(
    axis: Any,  # noqa: ANN401 - matplotlib's Axes, which may not be installed
    bars: Sequence[tuple[Figure, Spread]],
) -> None:
    medians = [ratio.median for _, ratio in bars]
    below = [ratio.median - ratio.lower for _, ratio in bars]
    above = [ratio.upper - ratio.median for _, ratio in bars]
    axis.barh(
        [figure.method for figure, _ in bars],
        [median - 1 for median in medians],
        left=1,
        xerr=[below, above],
        color=[_color(figure.method) for figure, _ in bars],
        error_kw={"elinewidth": 1, "ecolor": "#57606a"},
    )
    for place, (figure, ratio) in enumerate(bars):
        axis.text(
            max(ratio.upper, 1.0) * 1.04,
            place,
            f"{ratio.median:.2f}  ({figure.cost_us:.0f} µs)",
            va="center",
            fontsize=7.5,
        )
    least, most = min(*medians, 1.0) * 0.6, max(ratio.upper for _, ratio in bars) * 2.6
    axis.set_xscale("log")
    axis.set_xlim(least, most)
    ticks = [tick for tick in _TICKS if least <= tick <= most]
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.axvline(1.0, color=_FLOOR, linewidth=1.2)
    first, _ = bars[0]
    axis.set_title(f"{first.program}, {first.in_flight} in flight", fontsize=10)
    axis.set_xlabel("x floor: median and quartiles over the rounds, logarithmic", fontsize=8)
    axis.tick_params(labelsize=8)


def _color(method: str) -> str:
    if method == FLOOR:
        return _FLOOR
    return _OURS if method in OURS else _PEERS
