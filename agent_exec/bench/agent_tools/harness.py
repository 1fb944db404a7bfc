"""The agents: AutoGen Core's single-threaded runtime, a dispatcher, and workers that call tools.

The dispatcher keeps a number of calls in flight. Each is a request to an agent of its own,
which has the back end run the tool and answers with the outputs.
"""

# No postponed annotations: AutoGen reads those of the handlers when the classes are made.

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autogen_core import AgentId, MessageContext, RoutedAgent, SingleThreadedAgentRuntime, rpc

from agent_exec.bench.agent_tools.back_ends.base import BackEnd
from agent_exec.bench.agent_tools.tasks import Answer, Expected

_DISPATCHER = AgentId("dispatcher", "one")
_WORKER = "worker"


@dataclass
class CallTool:
    """To a worker: run this task."""

    task: int
    argv: list[str]


@dataclass
class ToolAnswer:
    """What came of it."""

    status: int
    stdout: str
    stderr: str


@dataclass
class Dispatch:
    """To the dispatcher: have these tasks run, so many at a time."""

    tasks: list[int]
    in_flight: int


@dataclass
class Dispatched:
    """How long each took, from the request to its answer: tasks and nanoseconds, as they ended."""

    tasks: list[int]
    latencies_ns: list[int]


class Worker(RoutedAgent):
    """Has tools run."""

    def __init__(self, expected: Sequence[Expected], back_end: BackEnd) -> None:
        super().__init__("runs tools")
        self._expected = expected
        self._back_end = back_end

    @rpc
    async def run_tool(self, message: CallTool, ctx: MessageContext) -> ToolAnswer:  # noqa: ARG002 - AutoGen's
        answer = await self._back_end.run(self._expected[message.task].task)
        status = -1 if answer.status is None else answer.status
        return ToolAnswer(status=status, stdout=answer.stdout, stderr=answer.stderr)


class Dispatcher(RoutedAgent):
    """Keeps workers busy, and looks at the clock and at the answers."""

    def __init__(self, expected: Sequence[Expected]) -> None:
        super().__init__("dispatches")
        self._expected = expected

    @rpc
    async def dispatch(self, message: Dispatch, ctx: MessageContext) -> Dispatched:  # noqa: ARG002 - AutoGen's
        done = Dispatched(tasks=[], latencies_ns=[])
        turns = iter(message.tasks)
        async with asyncio.TaskGroup() as lanes:
            for number in range(message.in_flight):
                lanes.create_task(self._lane(AgentId(_WORKER, str(number)), turns, done))
        return done

    async def _lane(self, worker: AgentId, turns: Iterator[int], done: Dispatched) -> None:
        for turn in turns:
            expected = self._expected[turn]
            call = CallTool(task=turn, argv=list(expected.task.argv))
            began_ns = time.perf_counter_ns()
            answer = await self.send_message(call, worker)
            done.latencies_ns.append(time.perf_counter_ns() - began_ns)
            done.tasks.append(turn)
            expected.check(Answer(status=answer.status, stdout=answer.stdout, stderr=answer.stderr))


class Agents:
    """A runtime with its agents, for one event loop."""

    def __init__(self, expected: Sequence[Expected], back_end: BackEnd) -> None:
        self._expected = expected
        self._back_end = back_end
        self._runtime = SingleThreadedAgentRuntime(ignore_unhandled_exceptions=False)

    async def start(self) -> None:
        """Have the runtime take messages."""
        await Dispatcher.register(
            self._runtime, _DISPATCHER.type, lambda: Dispatcher(self._expected)
        )
        await Worker.register(
            self._runtime, _WORKER, lambda: Worker(self._expected, self._back_end)
        )
        self._runtime.start()

    async def dispatch(self, tasks: Sequence[int], in_flight: int) -> Dispatched:
        """Have `tasks` run, `in_flight` at a time. Raises for the first that goes wrong."""
        done = await self._runtime.send_message(
            Dispatch(tasks=list(tasks), in_flight=in_flight), _DISPATCHER
        )
        assert isinstance(done, Dispatched)
        return done

    async def stop(self) -> None:
        """Take no more messages."""
        await self._runtime.stop()
