"""Ask a person."""

import asyncio

import agent_exec


async def approver(question: agent_exec.Question) -> agent_exec.Answer:
    print(question.decision.because[0])
    return agent_exec.Answer(agent_exec.Reply.ONCE)


async def main() -> None:
    async with agent_exec.ExecTool(worktree=".", policy="default", approver=approver) as tool:
        result = await tool.run(["rm", "greeting.txt"])
        print(result.status)


asyncio.run(main())
