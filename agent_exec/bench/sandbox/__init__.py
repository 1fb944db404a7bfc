"""Measure what it costs to confine a child.

`run_sandbox_benchmark` makes a `SandboxBenchReport`; `render_table` and `write_json` show it.
docs/reference/bench-sandbox.md says what is measured.
"""

from agent_exec.bench.sandbox.report import SandboxBenchReport, render_table, write_json
from agent_exec.bench.sandbox.run import run_sandbox_benchmark

__all__ = ["SandboxBenchReport", "render_table", "run_sandbox_benchmark", "write_json"]
