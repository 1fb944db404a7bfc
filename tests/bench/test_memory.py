from __future__ import annotations

import threading

from bench.values import CAT, TINY, FakeWorker, belongings

from agent_exec.bench.failure import Failure
from agent_exec.bench.launch.belongings import count_belongings
from agent_exec.bench.launch.figures import MemoryFigure
from agent_exec.bench.launch.measured import Batch
from agent_exec.bench.launch.memory import measure_memory
from agent_exec.bench.launch.programs import Program


def nobody(line: str) -> None:
    """Takes progress."""


def test_belongings_are_counted_when_launches_are_routine_and_at_the_end() -> None:
    worker = FakeWorker("trio")
    figure = measure_memory(
        worker, "trio", TINY, lasting=CAT, launches=2500, in_flight=16, tell=nobody
    )

    assert worker.asked[:2] == [("trio", "cat", 16), ("trio", "tiny", 16)]
    assert worker.counted_after == [6, 26]
    assert figure == MemoryFigure(
        method="trio",
        launches=2000,
        before=belongings(threads=1),
        after=belongings(threads=2),
    )


def test_a_wrong_launch_ends_it() -> None:
    class Wrong(FakeWorker):
        def measure(
            self, method: str, program: Program, launches: int, in_flight: int
        ) -> Batch | Failure:
            super().measure(method, program, launches, in_flight)
            return Failure("wrong") if len(self.asked) == 7 else Failure("else")

    worker = Wrong("trio")
    figure = measure_memory(
        worker, "trio", TINY, lasting=CAT, launches=100, in_flight=16, tell=nobody
    )
    assert (figure, len(worker.asked)) == (Failure("else"), 1)


def test_what_is_opened_and_kept_is_counted() -> None:
    before = count_belongings()
    kept = [bytes(1000) for _ in range(5000)]
    with open("/dev/null", "rb"), open("/dev/null", "rb"):
        after = count_belongings()

    assert after.descriptors - before.descriptors == 2
    assert (after.threads, after.children) == (before.threads, before.children)
    assert after.rss_bytes > before.rss_bytes
    assert len(kept) == 5000


def test_a_table_that_threads_share_is_counted_once() -> None:
    over = threading.Event()
    before = count_belongings()
    thread = threading.Thread(target=over.wait)
    thread.start()
    after = count_belongings()
    over.set()
    thread.join()

    assert (after.threads, after.descriptors) == (before.threads + 1, before.descriptors)
