"""OpenAI Agents: what the policy allows runs, and a person is asked about the rest."""

import asyncio
import json

from agents import Agent, RunConfig, Runner, RunState
from agents.testing import ScriptedModel, assistant_message, function_call

import agent_exec
from agent_exec.integrations.openai_agents import ExecTools

# Stands for a real model: it takes these steps.
model = ScriptedModel(
    [
        [function_call("exec", {"argv": ["cat", "greeting.txt"]}, call_id="1")],
        [function_call("exec", {"argv": ["rm", "greeting.txt"]}, call_id="2")],
        [assistant_message("I have read the file, and removed it.")],
    ]
)
QUIET = RunConfig(tracing_disabled=True)


async def main() -> None:
    async with agent_exec.ExecTool(worktree=".", policy="default") as tool:
        execs = ExecTools(tool)
        agent = Agent("coder", model=model, tools=execs.functions)
        result = await Runner.run(agent, "Read it, remove it.", context={}, run_config=QUIET)
        while result.interruptions:
            stored = json.dumps(result.to_state().to_json())
            state = await RunState.from_json(agent, json.loads(stored))
            for item in state.get_interruptions():
                for asked in execs.questions(item, result.context_wrapper.context):
                    print("approved:", asked["text"].splitlines()[0])
                state.approve(item)
            result = await Runner.run(agent, state, run_config=QUIET)
        print(result.final_output)


asyncio.run(main())
