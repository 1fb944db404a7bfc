"""Does a finished call leave anything behind? Launch many times and look."""

from __future__ import annotations

from agent_exec.bench.failure import Failure
from agent_exec.bench.launch.figures import MemoryFigure
from agent_exec.bench.launch.programs import Program
from agent_exec.bench.launch.rounds import Measures, Tell

# A chunk is driven like any batch. By the end of the first five, every cache has its size;
# pools have it before, when as many calls as can be were there at the same time.
_CHUNKS = 25
_SETTLED = 5


def measure_memory(
    worker: Measures,
    method: str,
    program: Program,
    *,
    lasting: Program,
    launches: int,
    in_flight: int,
    tell: Tell,
) -> MemoryFigure | Failure:
    """Make about `launches` launches; count what the worker holds early on and at the end.

    Before that, `lasting` is launched `in_flight` times: it runs so long that all run together.

    Raises:
        WorkerLostError: The worker ended, or was ended.
    """
    chunk = max(1, launches // _CHUNKS)
    before = None
    together = worker.measure(method, lasting, in_flight, in_flight)
    if isinstance(together, Failure):
        return together
    for number in range(_CHUNKS):
        if number % _SETTLED == 0:
            tell(f"memory: {method}: {number * chunk} of {_CHUNKS * chunk} launches")
        if number == _SETTLED:
            before = worker.count_belongings()
        batch = worker.measure(method, program, chunk, in_flight)
        if isinstance(batch, Failure):
            return batch
    assert before is not None
    return MemoryFigure(
        method=method,
        launches=(_CHUNKS - _SETTLED) * chunk,
        before=before,
        after=worker.count_belongings(),
    )
