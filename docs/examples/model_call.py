"""What a model sends: the definition of the tool, and a call of it."""

import asyncio

import agent_exec


async def main() -> None:
    async with agent_exec.ExecTool(worktree=".", policy="default") as tool:
        print([each["name"] for each in tool.definition("openai")])
        result = await tool.call({"argv": ["cat", "greeting.txt"]})
        print(result.stdout.head, end="")
        result = await tool.call({"argv": "cat greeting.txt | wc"})
        print(result.text)


asyncio.run(main())
