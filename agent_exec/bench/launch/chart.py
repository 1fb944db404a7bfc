"""A report as a picture; needs matplotlib."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from agent_exec.bench.launch.figures import Figure
from agent_exec.bench.launch.methods import FLOOR, OURS
from agent_exec.bench.launch.report import LaunchBenchReport
from agent_exec.errors import Unsupported

_OURS, _PEERS, _FLOOR = "#1f6feb", "#9aa4af", "#24292f"
_DPI = 150


def draw_chart(report: LaunchBenchReport, path: Path) -> tuple[Path, Path]:
    """Draw `path` with the suffix .png, and again with .svg; return both paths.

    Raises:
        Unsupported: matplotlib is not installed.
        OSError: A file cannot be written.
    """
    try:
        figure_module = importlib.import_module("matplotlib.figure")
    except ImportError as error:
        raise Unsupported(
            "a chart needs matplotlib, which is not installed (pip install agent-exec[bench])"
        ) from error
    cells = list(dict.fromkeys((f.program, f.in_flight) for f in report.figures))
    tallest = max((len(_of(report, cell)) for cell in cells), default=1)
    columns = 2
    rows = max(1, -(-len(cells) // columns))
    picture = figure_module.Figure(
        figsize=(6.5 * columns, (0.28 * tallest + 1.1) * rows + 0.6), layout="constrained"
    )
    axes = picture.subplots(rows, columns, squeeze=False).flat
    for axis, cell in zip(axes, cells, strict=False):
        _draw_cell(axis, cell, _of(report, cell))
    for axis in list(axes)[len(cells) :]:
        axis.set_visible(False)
    machine = report.machine
    picture.suptitle(
        "One launch with captured output, as a multiple of a C floor "
        f"({machine.cpus} CPUs, {machine.kernel}, {machine.python})",
        fontsize=11,
    )
    png, svg = path.with_suffix(".png"), path.with_suffix(".svg")
    for file in (png, svg):
        picture.savefig(file, dpi=_DPI)
    return png, svg


def _of(report: LaunchBenchReport, cell: tuple[str, int]) -> list[Figure]:
    return sorted(
        (f for f in report.figures if (f.program, f.in_flight) == cell and f.x_floor is not None),
        key=lambda f: 0.0 if f.x_floor is None else f.x_floor.median,
        reverse=True,
    )


def _draw_cell(axis: Any, cell: tuple[str, int], figures: list[Figure]) -> None:
    program, in_flight = cell
    spreads = [f.x_floor for f in figures if f.x_floor is not None]
    medians = [spread.median for spread in spreads]
    errors = [
        [spread.median - spread.lower for spread in spreads],
        [spread.upper - spread.median for spread in spreads],
    ]
    axis.barh(
        [f.method for f in figures],
        medians,
        xerr=errors,
        color=[_color(f.method) for f in figures],
        error_kw={"elinewidth": 1, "ecolor": "#57606a"},
    )
    for place, (spread, figure) in enumerate(zip(spreads, figures, strict=True)):
        axis.text(
            spread.upper * 1.04,
            place,
            f"{spread.median:.2f}  ({figure.wall_us.median:.0f} µs)",
            va="center",
            fontsize=7.5,
        )
    axis.set_xscale("log")
    axis.set_xlim(min([*medians, 1.0]) * 0.6, max([*medians, 1.0]) * 2.6)
    axis.axvline(1.0, color=_FLOOR, linewidth=0.8, linestyle=":")
    axis.set_title(f"{program}, {in_flight} in flight", fontsize=10)
    axis.set_xlabel("x floor (median; bar: quartiles)", fontsize=8)
    axis.tick_params(labelsize=8)
    axis.minorticks_off()
    ticks = [t for t in (0.5, 1, 2, 5, 10, 20, 50) if axis.get_xlim()[0] <= t <= axis.get_xlim()[1]]
    axis.set_xticks(ticks, [f"{t:g}" for t in ticks])


def _color(method: str) -> str:
    if method == FLOOR:
        return _FLOOR
    return _OURS if method in OURS else _PEERS
