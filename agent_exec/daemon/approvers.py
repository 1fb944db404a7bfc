"""Who is asked: the connections that have registered as approvers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

from agent_exec.model.question import Answer, Question, Reply

_Ask = Callable[[dict[str, Any]], Awaitable[None]]

NOBODY = Answer(Reply.NEVER, "nobody is there to approve it")
VANISHED = Answer(Reply.NEVER, "who was asked to approve it went away without an answer")


class Approvers:
    """Asks the one that registered last for a worktree, or for all. For one event loop."""

    def __init__(self) -> None:
        self._approvers: dict[object, tuple[str | None, _Ask | None]] = {}
        self._open: dict[str, tuple[object, asyncio.Future[Answer]]] = {}

    def register(self, who: object, worktree: str | None, ask: _Ask | None) -> None:
        """From now on `who` is asked, for `worktree`, without links, or (None) for any.

        Without `ask` it is not: it answers only what it has had decided itself.
        """
        self._approvers.pop(who, None)
        self._approvers[who] = (worktree, ask)

    def is_anybody_there(self, worktree: str) -> bool:
        """Whether there is somebody to ask about `worktree`."""
        where = os.path.realpath(worktree)
        return any(ask and of in (None, where) for of, ask in self._approvers.values())

    def is_registered(self, who: object) -> bool:
        """Whether `who` may answer."""
        return who in self._approvers

    def leave(self, who: object) -> None:
        """`who` has gone: what it was asked is answered with no."""
        self._approvers.pop(who, None)
        for asked, future in [*self._open.values()]:
            if asked is who and not future.done():
                future.set_result(VANISHED)

    async def ask(self, question: Question) -> Answer:
        """Ask, and wait for the answer. NEVER when nobody is there."""
        found = [
            (who, ask)
            for who, (worktree, ask) in self._approvers.items()
            if ask is not None and worktree in (None, question.worktree)
        ]
        if not found:
            return NOBODY
        who, ask = found[-1]
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._open[question.id] = (who, future)
        try:
            await ask(question.to_json())
            return await future
        except OSError:
            return VANISHED
        finally:
            del self._open[question.id]

    def answer(self, who: object, id_: str, answer: Answer) -> bool:
        """Take an answer; False when `who` was not asked that, or it is settled."""
        asked, future = self._open.get(id_, (None, None))
        if asked is not who or future is None or future.done():
            return False
        future.set_result(answer)
        return True
