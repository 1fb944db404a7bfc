"""What a person is asked before a call may run, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Self

from agent_exec.model.decision import Decision
from agent_exec.named_tuple import NamedTuple


class Reply(StrEnum):
    """What a person says."""

    ONCE = "once"
    """Run it, this time."""
    ALWAYS = "always"
    """Run it, and exactly this again in this worktree without asking."""
    WIDER = "wider"
    """Run it, and whatever one of the offered patterns covers without asking."""
    NEVER = "never"
    """Do not run it."""


class Offer(NamedTuple):
    """A pattern that may be remembered: every command that begins with these words."""

    words: tuple[str, ...]
    covers: str
    """In words, for the person who is asked."""

    def to_json(self) -> dict[str, object]:
        """As part of a question."""
        return {"words": list(self.words), "covers": self.covers}


class Question(NamedTuple):
    """Everything that a person needs to answer."""

    id: str
    """Of the call; of later questions about the same one, with their number."""
    decision: Decision
    """With its call: the verdict is ASK."""
    worktree: str
    """Absolute, without links."""
    cwd: str
    """Absolute, without links: where it would run."""
    remembers: tuple[str, ...] = ()
    """What `Reply.ALWAYS` would cover, a line for each part; empty: it is not offered."""
    wider: tuple[Offer, ...] = ()
    """What `Reply.WIDER` may cover; none is offered for what is not understood."""

    def to_json(self) -> dict[str, object]:
        """All of it, but for descriptors of this process."""
        decision = self.decision
        if decision.call is not None:
            call = decision.call
            stdin = None if isinstance(call.stdin, int) else call.stdin
            call = call._replace(stdin=stdin, stdout=None, stderr=None)
            decision = decision._replace(call=call)
        return {
            "id": self.id,
            "decision": decision.to_json(),
            "worktree": self.worktree,
            "cwd": self.cwd,
            "remembers": list(self.remembers),
            "wider": [offer.to_json() for offer in self.wider],
        }

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Self:
        """The question that `to_json` has shown.

        Raises:
            KeyError, TypeError, ValueError: It is no such object.
        """
        return cls(
            shown["id"],
            Decision.from_json(shown["decision"]),
            shown["worktree"],
            shown["cwd"],
            tuple(shown["remembers"]),
            tuple([Offer(tuple(offer["words"]), offer["covers"]) for offer in shown["wider"]]),
        )


class Answer(NamedTuple):
    """What a person said."""

    reply: Reply
    message: str | None = None
    """For the model: with NEVER, what to do instead."""
    pattern: tuple[str, ...] | None = None
    """With WIDER: the words of the chosen offer."""

    def to_json(self) -> dict[str, object]:
        """All of it."""
        return {
            "reply": self.reply.value,
            "message": self.message,
            "pattern": None if self.pattern is None else list(self.pattern),
        }

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Self:
        """The answer that `to_json` has shown; message and pattern may be left out.

        Raises:
            KeyError, TypeError, ValueError: It is no such object.
        """
        if not isinstance(shown, Mapping):
            raise TypeError(f"{type(shown).__name__} is no object")
        pattern = shown.get("pattern")
        return cls(
            Reply(shown["reply"]),
            shown.get("message"),
            None if pattern is None else tuple(pattern),
        )
