"""Run the launch benchmark from Python; it takes about a minute."""

from agent_exec.bench.launch import LaunchBenchOptions, render_table, run_launch_benchmark

if __name__ == "__main__":
    report = run_launch_benchmark(LaunchBenchOptions.choose(quick=True), tell=print)
    print(render_table(report))
