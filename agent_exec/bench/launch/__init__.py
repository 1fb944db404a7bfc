"""Measure what a launch costs, by our means and by everybody else's.

`run_launch_benchmark` makes a `LaunchBenchReport` of `LaunchBenchOptions`; `render_table`,
`write_json` and `draw_chart` show it. docs/reference/bench-launch.md says what is measured
and how to read it.

Every method runs in a worker process of its own, which has nothing but what a user of that
method would have; only one worker is busy at a time.
"""

from agent_exec.bench.launch.chart import draw_chart
from agent_exec.bench.launch.methods import METHOD_NAMES
from agent_exec.bench.launch.options import LaunchBenchOptions
from agent_exec.bench.launch.programs import PROGRAM_NAMES
from agent_exec.bench.launch.report import LaunchBenchReport, write_json
from agent_exec.bench.launch.run import run_launch_benchmark
from agent_exec.bench.launch.table import render_table
from agent_exec.bench.picture import why_no_chart

__all__ = [
    "METHOD_NAMES",
    "PROGRAM_NAMES",
    "LaunchBenchOptions",
    "LaunchBenchReport",
    "draw_chart",
    "render_table",
    "run_launch_benchmark",
    "why_no_chart",
    "write_json",
]
