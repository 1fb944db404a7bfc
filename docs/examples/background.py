"""A program that goes on while its caller does something else."""

import asyncio

import agent_exec


async def main() -> None:
    async with (
        agent_exec.ExecTool(worktree=".", policy="default") as tool,
        await tool.start(["cat", "-n"]) as session,
    ):
        await session.write("hello\n")
        result = await session.read(wait_s=5)
        print(result.ended, result.stdout.head, end="")
        await session.write("goodbye\n", close=True)
        result = await session.wait()
        print(result.ended, result.stdout.head, end="")


asyncio.run(main())
