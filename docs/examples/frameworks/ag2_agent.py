"""ag2: the shell tool's commands are judged, and run without a shell where they can."""

import asyncio
import json

from ag2 import Agent
from ag2.events import ToolCallEvent
from ag2.testing import TestConfig
from ag2.tools import SandboxShellTool
from ag2.tools.sandbox.factory import SingletonFactory

import agent_exec
from agent_exec.integrations.ag2 import ExecSandbox


async def approver(question: agent_exec.Question) -> agent_exec.Answer:
    print("approved:", agent_exec.question_text(question).splitlines()[0])
    return agent_exec.Answer(agent_exec.Reply.ONCE)


async def main() -> None:
    async with agent_exec.ExecTool(worktree=".", policy="default", approver=approver) as tool:
        shell = SandboxShellTool(SingletonFactory(ExecSandbox(tool)))
        command = json.dumps({"command": "rm greeting.txt"})
        # Stands for a real model: it calls the tool, and says that it is done.
        model = TestConfig(ToolCallEvent(shell.name, arguments=command), "I have removed it.")
        reply = await Agent("coder", config=model, tools=[shell]).ask("Remove the greeting.")
        print(reply.body)


asyncio.run(main())
