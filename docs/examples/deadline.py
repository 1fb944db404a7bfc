"""A call that takes too long is ended, and that is a result like any other."""

import asyncio

import agent_exec


async def main() -> None:
    async with agent_exec.ExecTool(worktree=".", policy="default") as tool:
        result = await tool.run(["sleep", "60"], timeout_s=0.1)
        print(result.ended, result.stages[0].signal)


asyncio.run(main())
