"""Decide now, run later."""

import asyncio

import agent_exec


async def later() -> None:
    async with agent_exec.ExecTool(worktree=".", policy="default") as tool:
        stored = (await tool.decide({"argv": ["touch", "new"]})).to_json()
        decision = agent_exec.Decision.from_json(stored)
        result = await tool.run_decided(decision, agent_exec.Answer(agent_exec.Reply.ONCE))
        print(result.ended)


asyncio.run(later())
