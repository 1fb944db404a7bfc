"""Run the agent-tools benchmark from Python; it takes some minutes."""

from agent_exec.bench.agent_tools import AgentBenchOptions, render_table, run_agent_benchmark

if __name__ == "__main__":
    report = run_agent_benchmark(AgentBenchOptions.choose(quick=True), tell=print)
    print(render_table(report))
