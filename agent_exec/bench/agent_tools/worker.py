"""The process in which agents call tools: answers requests until its link is closed."""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from agent_exec.bench.agent_tools.back_ends import open_back_end
from agent_exec.bench.agent_tools.back_ends.base import UnavailableError
from agent_exec.bench.agent_tools.corpus import Corpus
from agent_exec.bench.agent_tools.measured import Share
from agent_exec.bench.agent_tools.tasks import Expected
from agent_exec.bench.failure import Failure, reason_of

if TYPE_CHECKING:
    from agent_exec.bench.agent_tools.harness import Agents

# As often as every task runs before the first that counts: a template is kept from the second
# launch on. With as many at a time as ever, so that threads are there, too.
_UNTIL_HOT = 2
_MOST_IN_FLIGHT = 16


@dataclass(frozen=True, slots=True)
class Setup:
    """The first message to a worker; answered with a `Ready`."""

    back_end: str
    corpus: Corpus
    expected: tuple[Expected, ...]


@dataclass(frozen=True, slots=True)
class Ready:
    """Whether there are agents that call tools."""

    reason: str | None
    """Why the back end is not to be had; None when it is."""
    cold: str | None = None
    """What went wrong while it warmed up, so that the first round may be the first to be hot."""


@dataclass(frozen=True, slots=True)
class RunTasks:
    """Run these, by their places in `Setup.expected`; answered with a `Share` or a `Failure`."""

    tasks: tuple[int, ...]
    in_flight: int


def serve(fd: int) -> None:
    """Be a worker. `fd` is our end of the link, and ours to close."""
    # Imported here: it needs AutoGen, which whoever asks us need not have loaded.
    from agent_exec.bench.agent_tools.harness import Agents  # noqa: PLC0415

    os.set_inheritable(fd, False)
    with Connection(fd) as link, suppress(EOFError, ConnectionError):  # nobody asks any more
        setup: Setup = link.recv()
        try:
            back_end = open_back_end(setup.back_end, setup.corpus, setup.expected)
        except UnavailableError as reason:
            link.send(Ready(str(reason)))
            return
        try:
            with asyncio.Runner() as runner:
                agents = Agents(setup.expected, back_end)
                runner.run(agents.start())
                link.send(Ready(None, _warmed_up(runner, agents, len(setup.expected))))
                while True:
                    link.send(_answer(runner, agents, link.recv()))
        finally:
            back_end.close()


def _warmed_up(runner: asyncio.Runner, agents: Agents, tasks: int) -> str | None:
    """Run all tasks; what went wrong."""
    try:
        runner.run(agents.dispatch([*range(tasks)] * _UNTIL_HOT, _MOST_IN_FLIGHT))
    except Exception as error:
        return reason_of(error)
    return None


def _answer(runner: asyncio.Runner, agents: Agents, request: RunTasks) -> Share | Failure:
    gc.collect()
    children_ns = _children_ns()
    cpu_ns = time.process_time_ns()
    try:
        done = runner.run(agents.dispatch(request.tasks, request.in_flight))
    except Exception as error:
        return Failure(reason_of(error))
    return Share(
        tasks=tuple(done.tasks),
        latencies_ns=tuple(done.latencies_ns),
        runtime_cpu_ns=time.process_time_ns() - cpu_ns,
        children_cpu_ns=_children_ns() - children_ns,
    )


def _children_ns() -> int:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round((used.ru_utime + used.ru_stime) * 1e9)
