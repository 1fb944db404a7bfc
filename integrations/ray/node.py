"""What runs on a node: an actor that owns the worktrees there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from agent_exec import BackendCall, BackendResult, LocalBackend, StreamEvent

MOST_UNREAD = 16
"""Events of a stream that are on their way to who reads it: Ray itself sets no limit."""


class NodeActor:
    """A `LocalBackend` that Ray calls. All of its methods are coroutines of one event loop.

    What its calls have started ends with it: they are cancelled when Ray ends it, and the
    guardian of its process sees to it when the process is killed.
    """

    def __init__(
        self,
        node: str,
        worktrees: tuple[str, ...],
        policies: tuple[str, ...],
        options: dict[str, Any],
    ) -> None:
        self._backend = LocalBackend(
            worktrees=worktrees, policies=policies, node=node, options=options
        )
        self._windows: dict[int, asyncio.Semaphore] = {}

    async def run(self, call: dict[str, Any]) -> BackendResult:
        """See `LocalBackend.run`."""
        return await self._backend.run(BackendCall.from_json(call))

    async def stream(self, call: dict[str, Any], id_: int) -> AsyncIterator[StreamEvent]:
        """See `LocalBackend.stream`. Waits for `took` from time to time."""
        window = self._windows[id_] = asyncio.Semaphore(MOST_UNREAD)
        try:
            async with self._backend.stream(BackendCall.from_json(call)) as events:
                async for event in events:
                    await window.acquire()
                    yield event
        finally:
            del self._windows[id_]

    async def took(self, id_: int, events: int) -> None:
        """So many more events of a stream have been read."""
        window = self._windows.get(id_)
        if window is not None:
            for _ in range(events):
                window.release()

    async def end_sessions(self, owner: str) -> None:
        """See `LocalBackend.end_sessions`."""
        await self._backend.end_sessions(owner)

    async def close(self) -> None:
        """End what runs."""
        await self._backend.aclose()
