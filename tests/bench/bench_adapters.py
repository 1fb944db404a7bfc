"""What an adapter adds to a call: beyond a tool of the framework that awaits `ExecTool.run`.

    python tests/bench/bench_adapters.py [ROUNDS] [ADAPTER...]

Each round makes one call of each kind, one right after the other, so that whatever else the
machine does meets all of them alike; the last two take turns at being first:

* ``run``: `ExecTool.run` of /bin/true;
* ``theirs``: the framework, with a tool (for Inspect: a sandbox) of its own that awaits the same
  and returns its output;
* ``ours``: the framework, with the adapter.

The adapter's share is ``ours - theirs``, of each round, in microseconds of processor time of the
thread of the event loop, where all of an adapter runs: what it takes to read a model's arguments,
to judge and to tell a model of the result, and what the framework makes of it. Of the clock it is
told, too, which needs a machine that does nothing else. Collections of garbage, which any call may
be made to pay for, are made between rounds.

``share`` is the median, ``between`` where that of more rounds would lie, as sure as 95 %, then the
quartiles. ``least`` is the difference of the twentieths of the calls that took least, which other
work on the machine troubles little. Frameworks that are not installed are left out, and said.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import agent_exec

CALL = {"argv": ["/bin/true"]}
Once = Callable[[], Awaitable[object]]


async def pydantic_ai(tool: agent_exec.ExecTool) -> tuple[Once, Once]:
    from pydantic_ai import RunContext
    from pydantic_ai.messages import ToolCallPart
    from pydantic_ai.models.test import TestModel
    from pydantic_ai.tool_manager import ToolManager
    from pydantic_ai.toolsets import FunctionToolset
    from pydantic_ai.usage import RunUsage

    from agent_exec.integrations.pydantic_ai import ExecToolset

    async def plain(argv: list[str]) -> str:
        return (await tool.run(argv)).stdout.head

    context: RunContext[None] = RunContext(deps=None, model=TestModel(), usage=RunUsage())
    theirs: FunctionToolset[None] = FunctionToolset()
    theirs.add_function(plain, name="exec")

    async def call(toolset: Any) -> Once:
        manager = await ToolManager(toolset).for_run_step(context)
        return lambda: manager.handle_call(ToolCallPart("exec", CALL, "1"))

    return await call(theirs), await call(ExecToolset(tool))


async def openai_agents(tool: agent_exec.ExecTool) -> tuple[Once, Once]:
    from agents import Agent, FunctionTool, RunConfig, Runner
    from agents.testing import ScriptedModel, assistant_message, function_call

    from agent_exec.integrations.openai_agents import ExecTools

    async def plain(_: object, arguments: str) -> str:
        return (await tool.run(json.loads(arguments)["argv"])).stdout.head

    async def no(*_: object) -> bool:
        return False

    ours, *_ = ExecTools(tool).functions
    theirs = FunctionTool("exec", "", ours.params_json_schema, plain, needs_approval=no)
    quiet = RunConfig(tracing_disabled=True)

    def call(function: FunctionTool) -> Once:
        async def once() -> object:
            model = ScriptedModel(
                [[function_call("exec", CALL, call_id="1")], [assistant_message("done")]]
            )
            agent = Agent("coder", model=model, tools=[function])
            return await Runner.run(agent, "go on", run_config=quiet)

        return once

    return call(theirs), call(ours)


async def langchain(tool: agent_exec.ExecTool) -> tuple[Once, Once]:
    from langchain_core.tools import StructuredTool

    from agent_exec.integrations.langchain import ExecLangChainTool

    async def plain(argv: list[str]) -> tuple[str, None]:
        return (await tool.run(argv)).stdout.head, None

    ours = ExecLangChainTool(tool)
    theirs = StructuredTool.from_function(
        coroutine=plain,
        name="exec",
        description="nothing",
        args_schema=ours.args_schema,
        response_format="content_and_artifact",
    )
    sent = {"name": "exec", "args": CALL, "id": "1", "type": "tool_call"}
    return lambda: theirs.ainvoke(sent), lambda: ours.ainvoke(sent)


async def autogen(tool: agent_exec.ExecTool) -> tuple[Once, Once]:
    from autogen_core import CancellationToken
    from autogen_core.tools import FunctionTool, StaticWorkbench

    from agent_exec.integrations.autogen import ExecAutoGenTool

    async def plain(argv: list[str]) -> str:
        return (await tool.run(argv)).stdout.head

    def call(function: Any) -> Once:
        workbench = StaticWorkbench([function])
        return lambda: workbench.call_tool("exec", CALL, CancellationToken())

    return call(FunctionTool(plain, "plain", name="exec")), call(ExecAutoGenTool(tool))


async def inspect_ai(tool: agent_exec.ExecTool) -> tuple[Once, Once]:
    from inspect_ai.util import ExecResult

    from agent_exec.integrations.inspect_ai import AgentExecSandbox

    class Theirs(AgentExecSandbox):
        async def exec(self, cmd: list[str], *_: Any, **__: Any) -> ExecResult[str]:
            done = await tool.run(cmd)
            return ExecResult(done.status == 0, done.status or 0, done.stdout.head, "")

    theirs, ours = Theirs(tool), AgentExecSandbox(tool)
    return lambda: theirs.exec(CALL["argv"]), lambda: ours.exec(CALL["argv"])


async def agent_framework(tool: agent_exec.ExecTool) -> tuple[Once, Once]:
    from agent_framework import FunctionTool

    from agent_exec.integrations.agent_framework import exec_functions

    async def plain(argv: list[str]) -> str:
        return (await tool.run(argv)).stdout.head

    theirs = FunctionTool(name="exec", description="nothing", func=plain)
    ours, *_ = exec_functions(tool)

    def call(function: Any) -> Once:
        return lambda: function.invoke(arguments=CALL, tool_call_id="1")

    return call(theirs), call(ours)


async def ag2(tool: agent_exec.ExecTool) -> tuple[Once, Once]:
    from ag2.context import ConversationContext
    from ag2.events import ToolCallEvent
    from ag2.stream import MemoryStream
    from ag2.tools import tool as make_tool

    from agent_exec.integrations.ag2 import exec_tools

    async def plain(argv: list[str]) -> str:
        return (await tool.run(argv)).stdout.head

    context = ConversationContext(MemoryStream())
    sent = json.dumps(CALL)

    def call(function: Any) -> Once:
        return lambda: function(ToolCallEvent("exec", arguments=sent), context)

    ours, *_ = exec_tools(tool)
    return call(make_tool(plain, name="exec")), call(ours)


ADAPTERS = (pydantic_ai, openai_agents, langchain, autogen, inspect_ai, agent_framework, ag2)


class Spent(NamedTuple):
    """Microseconds: of the processor, by the thread of the event loop; and by the clock."""

    cpu: float
    clock: float


async def timed(once: Once) -> Spent:
    cpu, clock = time.thread_time(), time.perf_counter()
    await once()
    return Spent((time.thread_time() - cpu) * 1e6, (time.perf_counter() - clock) * 1e6)


class Round(NamedTuple):
    """One call of each kind."""

    run: Spent
    theirs: Spent
    ours: Spent


async def measure(tool: agent_exec.ExecTool, theirs: Once, ours: Once, rounds: int) -> list[Round]:
    """After a tenth more, which are not counted."""

    async def run() -> object:
        return await tool.run(CALL["argv"])

    made: list[Round] = []
    gc.collect()
    gc.freeze()
    gc.disable()
    for number in range(rounds + rounds // 10):
        plain = await timed(run)
        if number % 2:
            first = await timed(theirs)
            made.append(Round(plain, first, await timed(ours)))
        else:
            first = await timed(ours)
            made.append(Round(plain, await timed(theirs), first))
        if number % _ROUNDS_OF_GARBAGE == 0:
            gc.collect()
    gc.enable()
    gc.unfreeze()
    return made[rounds // 10 :]


_ROUNDS_OF_GARBAGE = 20


def least(spent: list[Spent]) -> float:
    """The twentieth of them."""
    return sorted(each.cpu for each in spent)[len(spent) // 20]


def of_the_median(values: list[float]) -> tuple[float, float]:
    """Between which of the values the median of all that there could be lies, as sure as 95 %."""
    reach = 1.96 * math.sqrt(len(values)) / 2
    middle = (len(values) - 1) / 2
    ordered = sorted(values)
    return ordered[max(0, math.floor(middle - reach))], ordered[
        min(len(values) - 1, math.ceil(middle + reach))
    ]


def line(name: str, made: list[Round]) -> str:
    """What was measured of one adapter."""
    shares = [each.ours.cpu - each.theirs.cpu for each in made]
    low, middle, high = statistics.quantiles(shares, n=4)
    clock = statistics.median(each.ours.clock - each.theirs.clock for each in made)
    plain = statistics.median(each.run.cpu for each in made)
    few = least([each.ours for each in made]) - least([each.theirs for each in made])
    between = "{:.0f} to {:.0f}".format(*of_the_median(shares))
    quartiles = f"{low:.0f} to {high:.0f}"
    return (
        f"{name:16} {plain:6.0f} {middle:6.0f} {between:>14} {quartiles:>14} "
        f"{few:6.0f} {clock:6.0f}"
    )


async def main(rounds: int, names: list[str]) -> None:
    print(f"microseconds, {rounds} rounds")
    print(
        f"{'adapter':16} {'run':>6} {'share':>6} {'between':>14} {'quartiles':>14} "
        f"{'least':>6} {'clock':>6}"
    )
    with tempfile.TemporaryDirectory() as folder:
        async with agent_exec.ExecTool(folder, policy="default", audit=False) as tool:
            for prepare in ADAPTERS:
                if names and prepare.__name__ not in names:
                    continue
                try:
                    theirs, ours = await prepare(tool)
                except ImportError as error:
                    print(f"{prepare.__name__:16} left out: {error}")
                    continue
                print(line(prepare.__name__, await measure(tool, theirs, ours, rounds)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000, sys.argv[2:]))
