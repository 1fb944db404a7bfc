"""Join commands by pipes, without a shell."""

import asyncio

import agent_exec


async def main() -> None:
    async with agent_exec.ExecTool(worktree=".", policy="default") as tool:
        result = await tool.run_pipeline([["sort", "-r"], ["head", "-n", "1"]], stdin="1\n3\n2\n")
        print([stage.exit_code for stage in result.stages])
        print(result.stdout.head, end="")


asyncio.run(main())
