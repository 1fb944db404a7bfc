"""Run one command and read its result."""

import asyncio

import agent_exec


async def main() -> None:
    async with agent_exec.ExecTool(worktree=".", policy="default") as tool:
        result = await tool.run(["cat", "greeting.txt"])
        print(result.ended, result.stages[0].exit_code)
        print(result.stdout.head, end="")


asyncio.run(main())
