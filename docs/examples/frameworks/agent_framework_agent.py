"""Agent Framework: function tools that are judged, and an approver for what the policy asks."""

import asyncio

import agent_exec
from agent_exec.integrations.agent_framework import exec_functions


async def approver(question: agent_exec.Question) -> agent_exec.Answer:
    print("approved:", agent_exec.question_text(question).splitlines()[0])
    return agent_exec.Answer(agent_exec.Reply.ONCE)


async def main() -> None:
    async with agent_exec.ExecTool(worktree=".", policy="default", approver=approver) as tool:
        functions = exec_functions(tool)
        # An agent calls them so: Agent(client=..., tools=functions)
        for argv in (["cat", "greeting.txt"], ["rm", "greeting.txt"]):
            (content,) = await functions[0].invoke(arguments={"argv": argv})
            print((content.text or "").splitlines()[-1])


asyncio.run(main())
