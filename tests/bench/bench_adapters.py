"""What an adapter adds to a call: beyond a tool of the framework that awaits `ExecTool.run`.

    python tests/bench/bench_adapters.py [ROUNDS]

Each round makes one call of each kind, one right after the other, so that whatever else the
machine does meets all of them alike:

* ``run``: `ExecTool.run` of /bin/true;
* ``theirs``: the framework, with a tool of its own that awaits the same and returns its output;
* ``ours``: the framework, with the adapter.

The adapter's share is ``ours - theirs``, of each round, in microseconds of processor time of the
thread of the event loop, where all of an adapter runs: what it takes to read a model's arguments,
to judge and to tell a model of the result, and what the framework makes of it. Of the clock it is
told, too, which needs a machine that does nothing else. Medians, and the quartiles of the former;
``least`` is the difference of the twentieths of the calls that took least, which other work on
the machine troubles little. Frameworks that are not installed are left out, and said.
"""

from __future__ import annotations

import asyncio
import json
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

    made = [
        Round(await timed(run), await timed(theirs), await timed(ours))
        for _ in range(rounds + rounds // 10)
    ]
    return made[rounds // 10 :]


def least(spent: list[Spent]) -> float:
    """The twentieth of them."""
    return sorted(each.cpu for each in spent)[len(spent) // 20]


async def main(rounds: int) -> None:
    print(f"microseconds, {rounds} rounds")
    print(f"{'adapter':16} {'run':>6} {'share':>6} {'quartiles':>14} {'least':>6} {'clock':>6}")
    with tempfile.TemporaryDirectory() as folder:
        async with agent_exec.ExecTool(folder, policy="default", audit=False) as tool:
            for prepare in (pydantic_ai, openai_agents, langchain, autogen):
                try:
                    theirs, ours = await prepare(tool)
                except ImportError as error:
                    print(f"{prepare.__name__:16} left out: {error}")
                    continue
                made = await measure(tool, theirs, ours, rounds)
                shares = [each.ours.cpu - each.theirs.cpu for each in made]
                low, middle, high = statistics.quantiles(shares, n=4)
                clock = statistics.median(each.ours.clock - each.theirs.clock for each in made)
                plain = statistics.median(each.run.cpu for each in made)
                few = least([each.ours for each in made]) - least([each.theirs for each in made])
                quartiles = f"{low:.0f} to {high:.0f}"
                print(
                    f"{prepare.__name__:16} {plain:6.0f} {middle:6.0f} {quartiles:>14} "
                    f"{few:6.0f} {clock:6.0f}"
                )


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
