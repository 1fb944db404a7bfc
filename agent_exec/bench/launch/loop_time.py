"""How long an event loop was busy: the time between two of its waits for events."""

from __future__ import annotations

import selectors
import time

from agent_exec.bench.launch.measured import LoopTime


class BusyMeter:
    """Adds up the times between the end of one wait and the start of the next.

    The loop calls `wait_begins` and `wait_ended`, its user `start` and `stop`. All on the
    loop's thread.
    """

    def __init__(self) -> None:
        self._running = False
        self._busy_ns = self._longest_ns = self._turns = 0
        self._cpu_ns = self._ended_ns = 0

    def start(self) -> None:
        """Begin to count; the loop is busy, with its caller."""
        self._running = True
        self._busy_ns = self._longest_ns = self._turns = 0
        self._cpu_ns = time.thread_time_ns()
        self._ended_ns = time.perf_counter_ns()

    def stop(self) -> None:
        """End; what comes later does not count."""
        self.wait_begins()
        self._cpu_ns = time.thread_time_ns() - self._cpu_ns
        self._running = False

    def wait_begins(self) -> None:
        """The loop has nothing more to do."""
        if self._running:
            busy_ns = time.perf_counter_ns() - self._ended_ns
            self._busy_ns += busy_ns
            self._longest_ns = max(self._longest_ns, busy_ns)
            self._turns += 1

    def wait_ended(self) -> None:
        """The loop goes on."""
        self._ended_ns = time.perf_counter_ns()

    def per_launch(self, launches: int) -> LoopTime:
        """What `launches` between `start` and `stop` have cost."""
        return LoopTime(
            wall_us=self._busy_ns / launches / 1000,
            cpu_us=self._cpu_ns / launches / 1000,
            longest_us=self._longest_ns / 1000,
            turns=self._turns / launches,
        )


class MeteredSelector(selectors.DefaultSelector):
    """The system's best selector, with a meter around its waits."""

    def __init__(self, meter: BusyMeter) -> None:
        super().__init__()
        self._meter = meter

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._meter.wait_begins()
        try:
            return super().select(timeout)
        finally:
            self._meter.wait_ended()


class TrioMeter:
    """The same as a trio instrument."""

    def __init__(self, meter: BusyMeter) -> None:
        self._meter = meter

    def before_io_wait(self, timeout: float) -> None:  # noqa: ARG002 - trio's signature
        self._meter.wait_begins()

    def after_io_wait(self, timeout: float) -> None:  # noqa: ARG002 - trio's signature
        self._meter.wait_ended()
