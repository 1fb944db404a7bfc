"""Questions to the person at an MCP host, in both generations of the protocol.

Until 2025-11-25 a server asks its client in the middle of a call. From 2026-07-28 on it ends the
call with what it needs to know, and the client calls again with the answer and our state, which
is a name for what we keep, sealed: a client cannot make one, and use one only once.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from mcp import types

from agent_exec import Answer, Question, Reply, question_text

_KEY = "approval"
_MOST_WAITING = 1024
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


class Questions:
    """Those that wait for a client to call again. Each can be answered once, and here alone.

    What a client holds is a random name; what it was asked stays with us.
    """

    def __init__(self) -> None:
        self._seals: dict[str, str | None] = {}

    def ask(self, question: Question) -> types.InputRequiredResult:
        """The end of a call that goes on when it is made again with an answer."""
        while len(self._seals) >= _MOST_WAITING:
            del self._seals[next(iter(self._seals))]
        name = secrets.token_urlsafe()
        self._seals[name] = question.decision.seal
        request = types.ElicitRequest(params=elicitation(question))
        return types.InputRequiredResult(input_requests={_KEY: request}, request_state=name)

    def answered(self, name: str, responses: Mapping[str, Any]) -> Answered:
        """The approver of the call that was made again.

        Args:
            name: Ours, as the client has sent it back and the server has opened it.
            responses: To what we asked.
        """
        return Answered(self._seals.pop(name, None), responses.get(_KEY))


class Answered:
    """An approver that gives the answer to one question, and to no other.

    Args:
        seal: Of the decision that was asked about; None where it is not known any more.
        response: What the client has sent.
    """

    def __init__(self, seal: str | None, response: object) -> None:
        self._seal = seal
        self._response = response

    async def __call__(self, question: Question) -> Answer:
        if self._seal is None:
            raise LookupError("that question was answered before, or is too old; call again")
        if question.decision.seal != self._seal:
            raise LookupError("what it would do has changed since it was asked about; call again")
        if not isinstance(self._response, types.ElicitResult):
            raise LookupError("the host sent no answer")
        return answer_of(self._response)
