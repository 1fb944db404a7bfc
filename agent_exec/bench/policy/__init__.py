"""Measure what a decision costs.

`run_policy_benchmark` makes a `PolicyBenchReport`; `render_table` and `write_json` show it.
docs/reference/bench-policy.md says what is measured.
"""

from agent_exec.bench.policy.report import PolicyBenchReport, render_table, write_json
from agent_exec.bench.policy.run import run_policy_benchmark

__all__ = ["PolicyBenchReport", "render_table", "run_policy_benchmark", "write_json"]
