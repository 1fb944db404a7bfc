"""AutoGen: a workbench whose tool is judged, and an approver for what the policy asks about."""

import asyncio

from autogen_core import CancellationToken

import agent_exec
from agent_exec.integrations.autogen import ExecWorkbench


async def approver(question: agent_exec.Question) -> agent_exec.Answer:
    print("approved:", agent_exec.question_text(question).splitlines()[0])
    return agent_exec.Answer(agent_exec.Reply.ONCE)


async def main() -> None:
    async with agent_exec.ExecTool(worktree=".", policy="default", approver=approver) as tool:
        workbench = ExecWorkbench(tool)
        # An agent calls it so: AssistantAgent("coder", model_client=..., workbench=workbench)
        for argv in (["cat", "greeting.txt"], ["rm", "greeting.txt"]):
            result = await workbench.call_tool("exec", {"argv": argv}, CancellationToken())
            print(result.is_error, result.to_text().splitlines()[-1])


asyncio.run(main())
