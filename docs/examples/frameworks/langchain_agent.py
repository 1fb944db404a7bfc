"""LangChain: what the policy allows runs, and a person is asked about the rest."""

import asyncio
from typing import Any, Self

from langchain.agents import create_agent
from langchain_core.language_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

import agent_exec
from agent_exec.integrations.langchain import approve, exec_tools

CONFIG: Any = {"configurable": {"thread_id": "one"}}


def call(number: int, *argv: str) -> AIMessage:
    calls = [{"name": "exec", "args": {"argv": list(argv)}, "id": str(number)}]
    return AIMessage("", tool_calls=calls)


class Script(FakeMessagesListChatModel):
    """Stands for a real model: it says what it is told to."""

    def bind_tools(self, *_: object, **__: object) -> Self:
        return self


model = Script(
    responses=[
        call(1, "cat", "greeting.txt"),
        call(2, "rm", "greeting.txt"),
        AIMessage("I have read the file, and removed it."),
    ]
)


async def main() -> None:
    async with agent_exec.ExecTool(worktree=".", policy="default") as tool:
        agent = create_agent(model, exec_tools(tool), checkpointer=InMemorySaver())
        task = {"messages": [HumanMessage("Read the greeting, then remove it.")]}
        state = await agent.ainvoke(task, CONFIG)
        while waiting := state.get("__interrupt__"):
            answers = {}
            for each in waiting:
                print("approved:", each.value["description"].splitlines()[0])
                answers[each.id] = approve(each.value)
            state = await agent.ainvoke(Command(resume=answers), CONFIG)
        print(state["messages"][-1].content)


asyncio.run(main())
