"""Questions, kept in the context of a run: where the SDK stores that, they are stored with it."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from agents import RunContextWrapper

from agent_exec import Answer, Question
from agent_exec.integrations.common.asking import ONCE, Waiting, is_of, restored, stored

_KEY = "agent_exec"


class Questions:
    """By the id of what they are about. A context that is no mapping keeps none: memory does."""

    def __init__(self) -> None:
        self._waiting = Waiting()

    def keep(self, context: object, id_: str, question: Question) -> None:
        """Until it is answered."""
        self._waiting.keep(id_, question)
        if isinstance(context, MutableMapping):
            context.setdefault(_KEY, {})[id_] = stored(question)

    def shown(self, context: object, id_: str) -> list[dict[str, Any]]:
        """What `keep` has kept about a call and its parts, as `stored` makes it."""
        kept = context.get(_KEY) if isinstance(context, MutableMapping) else None
        if isinstance(kept, MutableMapping):
            found = [each for name, each in kept.items() if is_of(name, id_)]
            if found:
                return found
        return [stored(question) for question in self._waiting.find(id_)]

    def take(self, wrapper: RunContextWrapper[Any], id_: str) -> tuple[Question | None, Answer]:
        """What was asked, and what was answered; it is not kept any longer."""
        question = self._waiting.take(id_)
        kept = wrapper.context.get(_KEY) if isinstance(wrapper.context, MutableMapping) else None
        if isinstance(kept, MutableMapping) and id_ in kept:
            found, answer = restored(kept.pop(id_))
            return found, answer
        return question, ONCE
