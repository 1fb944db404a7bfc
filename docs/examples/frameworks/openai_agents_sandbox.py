"""OpenAI Agents: the commands of a sandbox agent are judged, and run in a worktree."""

import asyncio

from agents import RunConfig, Runner
from agents.run_config import SandboxRunConfig
from agents.sandbox import SandboxAgent
from agents.testing import ScriptedModel, assistant_message, function_call

import agent_exec
from agent_exec.integrations.openai_agents import ExecSandboxSession

# Stands for a real model: it takes these steps.
model = ScriptedModel(
    [
        [function_call("exec_command", {"cmd": "cat greeting.txt | wc -l"}, call_id="1")],
        [function_call("exec_command", {"cmd": "rm greeting.txt"}, call_id="2")],
        [assistant_message("I have removed it.")],
    ]
)


async def approver(question: agent_exec.Question) -> agent_exec.Answer:
    print("approved:", agent_exec.question_text(question).splitlines()[0])
    return agent_exec.Answer(agent_exec.Reply.ONCE)


async def main() -> None:
    async with agent_exec.ExecTool(worktree=".", policy="default", approver=approver) as tool:
        sandbox = SandboxRunConfig(session=ExecSandboxSession(tool))
        config = RunConfig(sandbox=sandbox, tracing_disabled=True)
        agent = SandboxAgent(name="coder", model=model)
        result = await Runner.run(agent, "Remove the greeting.", run_config=config)
        print(result.final_output)


asyncio.run(main())
