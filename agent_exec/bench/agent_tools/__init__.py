"""Measure what the tool is worth to agents that call short programs all day.

`run_agent_benchmark` makes an `AgentBenchReport` of `AgentBenchOptions`; `render_table`,
`write_json`, `draw_throughput`, `draw_parts` and `write_page` show it.
docs/reference/bench-agent-tools.md says what is measured and how to read it.

Every back end has worker processes of its own, in which AutoGen Core's agents live; those of
one back end are busy at a time.
"""

from agent_exec.bench.agent_tools.back_ends import BACK_END_NAMES
from agent_exec.bench.agent_tools.chart import draw_parts, draw_throughput
from agent_exec.bench.agent_tools.options import AgentBenchOptions
from agent_exec.bench.agent_tools.page import write_page
from agent_exec.bench.agent_tools.report import AgentBenchReport, write_json
from agent_exec.bench.agent_tools.run import run_agent_benchmark
from agent_exec.bench.agent_tools.table import render_table
from agent_exec.bench.picture import why_no_chart

__all__ = [
    "BACK_END_NAMES",
    "AgentBenchOptions",
    "AgentBenchReport",
    "draw_parts",
    "draw_throughput",
    "render_table",
    "run_agent_benchmark",
    "why_no_chart",
    "write_json",
    "write_page",
]
