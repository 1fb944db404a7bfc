"""Pydantic AI: what the policy allows runs, and a person is asked about the rest."""

import asyncio

from pydantic_ai import Agent, DeferredToolRequests
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

import agent_exec
from agent_exec.integrations.pydantic_ai import ExecToolset

CALLS = iter([["cat", "greeting.txt"], ["rm", "greeting.txt"]])


def model(_messages: list[ModelMessage], _info: AgentInfo) -> ModelResponse:
    """Stands for a real one: it sends the calls above, one after the other."""
    argv = next(CALLS, None)
    if argv is None:
        return ModelResponse([TextPart("I have read the file, and removed it.")])
    return ModelResponse([ToolCallPart("exec", {"argv": argv})])


async def main() -> None:
    async with agent_exec.ExecTool(worktree=".", policy="default") as tool:
        agent = Agent(
            FunctionModel(model),
            toolsets=[ExecToolset(tool)],
            output_type=[str, DeferredToolRequests],
        )
        result = await agent.run("Read the greeting, then remove it.")
        while isinstance(result.output, DeferredToolRequests):
            requests = result.output
            for asked in requests.metadata.values():
                print("approved:", asked["text"].splitlines()[0])
            answers = requests.build_results(approve_all=True, metadata=requests.metadata)
            history = result.all_messages()
            result = await agent.run(message_history=history, deferred_tool_results=answers)
        print(result.output)


asyncio.run(main())
