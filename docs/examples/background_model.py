"""The same as a model does it: four tools, and JSON."""

import asyncio

import agent_exec


async def main() -> None:
    async with agent_exec.ExecTool(worktree=".", policy="default") as tool:
        begun = await tool.call({"argv": ["tail", "-f", "greeting.txt"], "background": True})
        assert begun.session is not None
        session = begun.session.handle
        result = await tool.call({"session": session, "offset": 0}, name="exec_read")
        print(result.ended, result.stdout.head, end="")
        result = await tool.call({"session": session}, name="exec_stop")
        print(result.ended, *result.notices)


asyncio.run(main())
