"""Questions to the person at an MCP host, in both generations of the protocol.

Until 2025-11-25 a server asks its client in the middle of a call. From 2026-07-28 on it ends the
call with what it needs to know, and the client calls again with the answer and our state, which
is sealed by the server: a client cannot make one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mcp import types

from agent_exec import Answer, Decision, Question, Reply, question_text

_KEY = "approval"
_REPLIES = {"once": Reply.ONCE, "always": Reply.ALWAYS, "no": Reply.NEVER}


def elicitation(question: Question) -> types.ElicitRequestFormParams:
    """What the person is asked, as a form."""
    lines = ["Run this?", question_text(question)]
    offered = ["once", "always", "no"] if question.remembers else ["once", "no"]
    if question.remembers:
        lines += ["", "'always' would cover, in this worktree:", *question.remembers]
    return types.ElicitRequestFormParams(
        message="\n".join(lines),
        requested_schema={
            "type": "object",
            "properties": {
                "answer": {"type": "string", "enum": offered, "description": "Run it?"},
                "message": {
                    "type": "string",
                    "description": "For the model, if not: what to do instead.",
                },
            },
            "required": ["answer"],
        },
    )


def answer_of(result: types.ElicitResult) -> Answer:
    """What the person said. Whatever is not clearly a yes is a no."""
    content: Mapping[str, Any] = result.content or {}
    message = content.get("message")
    said = str(message) if message else None
    if result.action != "accept":
        return Answer(Reply.NEVER, said or f"the person chose to {result.action}")
    return Answer(_REPLIES.get(str(content.get("answer")), Reply.NEVER), said)


def input_required(question: Question) -> types.InputRequiredResult:
    """The end of a call that goes on when it is made again with an answer."""
    request = types.ElicitRequest(params=elicitation(question))
    return types.InputRequiredResult(
        input_requests={_KEY: request},
        request_state=json.dumps({"seal": question.decision.seal}),
    )


class Answered:
    """An approver that gives the answer to one question, and to no other.

    Args:
        state: Ours, as the client has sent it back and the server has opened it.
        responses: To what we asked.
    """

    def __init__(self, state: str, responses: Mapping[str, Any]) -> None:
        self._seal = json.loads(state)["seal"]
        self._response = responses.get(_KEY)

    async def __call__(self, question: Question) -> Answer:
        if not _is_same(question.decision, self._seal):
            raise LookupError("what it would do has changed since it was asked about; call again")
        if not isinstance(self._response, types.ElicitResult):
            raise LookupError("the host sent no answer")
        return answer_of(self._response)


def _is_same(decision: Decision, seal: object) -> bool:
    return decision.seal is not None and decision.seal == seal
