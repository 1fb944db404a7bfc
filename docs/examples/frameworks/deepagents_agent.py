"""deepagents: what a deep agent does is judged, and a person is asked where the policy asks."""

import asyncio
from typing import Any, Self

from deepagents import create_deep_agent
from langchain_core.language_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

import agent_exec
from agent_exec.integrations.deepagents import ExecSandbox
from agent_exec.integrations.langchain import approve, exec_tools

CONFIG: Any = {"configurable": {"thread_id": "one"}}


def call(number: int, name: str, **arguments: object) -> AIMessage:
    return AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": str(number)}])


class Script(FakeMessagesListChatModel):
    """Stands for a real model: it says what it is told to."""

    def bind_tools(self, *_: object, **__: object) -> Self:
        return self


model = Script(
    responses=[
        call(1, "execute", command="cat greeting.txt | wc -l"),
        call(2, "execute", command="rm greeting.txt"),
        AIMessage("done"),
    ]
)


async def main() -> None:
    async with agent_exec.ExecTool(worktree=".", policy="default") as tool:
        agent = create_deep_agent(
            model,
            tools=exec_tools(tool),
            backend=ExecSandbox(tool),
            checkpointer=InMemorySaver(),
        )
        task = {"messages": [HumanMessage("Count the lines, then remove it.")]}
        state = await agent.ainvoke(task, CONFIG)
        while waiting := state.get("__interrupt__"):
            print("approved:", waiting[0].value["description"].splitlines()[0])
            state = await agent.ainvoke(Command(resume=approve(waiting[0].value)), CONFIG)
        for message in state["messages"]:
            if isinstance(message, ToolMessage):
                print(message.name, "said:", repr(message.text.strip()))


asyncio.run(main())
