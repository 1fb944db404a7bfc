"""Shell text: judged, and run without a shell where that is the same."""

import asyncio

import agent_exec


async def main() -> None:
    async with agent_exec.ExecTool(worktree=".", policy="default") as tool:
        result = await tool.run_shell("cat greeting.txt | tr a-z A-Z && echo done")
        print(result.route, result.status)
        print(result.stdout.head, end="")
        decision = tool.check(["sort", "--outp=greeting.txt", "greeting.txt"])
        print(decision.verdict, decision.because[0])


asyncio.run(main())
