"""Benchmarks that users can run: `agent-exec bench`.

Elsewhere in this package only `launch` and `runtime` start processes. This one is the
exception: its subject is starting them by every means there is, so it calls
`subprocess`, the event loops' own functions and programs of other languages beside our
engines. Nothing outside `cli` imports it.

The C and JavaScript sources beside this file are package data: they are compiled, or run,
when a benchmark runs.
"""
