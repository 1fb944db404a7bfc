"""Calls that interrupt a graph where the policy asks, and go on when it is resumed."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from langgraph.config import get_config
from langgraph.types import interrupt

from agent_exec import Answer, ExecTool, Question, Reply, ToolResult
from agent_exec.integrations.common.asking import (
    call_or_ask,
    restored,
    run_answered,
    stored,
)

_TYPE = "tool_approval"


def approve(request: Mapping[str, Any], answer: Answer | None = None) -> dict[str, Any]:
    """What a graph is resumed with, when a person says yes: ``Command(resume=approve(...))``.

    Args:
        request: The value of the interrupt; it may have been JSON.
        answer: For another yes than once: ALWAYS or WIDER.
    """
    given = {} if answer is None else {"answer": answer.to_json()}
    return {"type": "approve", "question": request["question"], **given}


def reject(request: Mapping[str, Any], message: str | None = None) -> dict[str, Any]:
    """What a graph is resumed with, when a person says no; `message` is for the model."""
    answer = Answer(Reply.NEVER, message).to_json()
    return {"type": "reject", "question": request["question"], "answer": answer}


async def call(
    tool: ExecTool,
    arguments: Mapping[str, Any],
    *,
    name: str = "exec",
    owner: str = "",
    may_interrupt: bool = True,
) -> ToolResult | Question:
    """Run what a model has sent. Outside of a graph, the approver of the tool is asked.

    Returns:
        ToolResult | Question: A question, where something else was answered than was asked.
    """
    if not (may_interrupt and _is_in_a_graph()):
        return await tool.call(arguments, name=name, owner=owner)
    done = await call_or_ask(tool, arguments, name=name, owner=owner)
    if isinstance(done, Question):
        said = interrupt(_request(done, arguments, name))
        done = await run_answered(tool, arguments, *_answered(said), name=name, owner=owner)
    return done


def call_sync(
    tool: ExecTool,
    arguments: Mapping[str, Any],
    *,
    name: str = "exec",
    owner: str = "",
    may_interrupt: bool = True,
) -> ToolResult | Question:
    """The same on a thread without an event loop.

    By asyncio itself: anyio takes a loop for running in a thread whose context was copied from
    one where it does.
    """
    if not (may_interrupt and _is_in_a_graph()):
        return asyncio.run(tool.call(arguments, name=name, owner=owner))
    done = asyncio.run(call_or_ask(tool, arguments, name=name, owner=owner))
    if isinstance(done, Question):
        said = interrupt(_request(done, arguments, name))
        answered = _answered(said)
        done = asyncio.run(run_answered(tool, arguments, *answered, name=name, owner=owner))
    return done


def _is_in_a_graph() -> bool:
    try:
        config = get_config()
    except RuntimeError:
        return False
    # A tool that is invoked by itself has a configuration, too, but is no task of a graph.
    return "checkpoint_ns" in config.get("configurable", {})


def _request(question: Question, arguments: Mapping[str, Any], name: str) -> dict[str, Any]:
    shown = stored(question)
    return {
        "type": _TYPE,
        "name": name,
        "args": dict(arguments),
        "description": shown["text"],
        "question": shown["question"],
    }


def _answered(said: object) -> tuple[Question, Answer]:
    """Of what a graph was resumed with.

    Raises:
        ValueError: It does not say what it is an answer to.
    """
    question, answer = restored(said)
    if question is None:
        raise ValueError("resume with approve(interrupt.value), or reject(interrupt.value)")
    is_yes = isinstance(said, Mapping) and said.get("type") == "approve"
    if not is_yes and answer.reply is not Reply.NEVER:
        answer = Answer(Reply.NEVER)
    return question, answer
