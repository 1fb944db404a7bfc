"""A call that ends when its token is cancelled, with everything that it started."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from autogen_core import CancellationToken

from agent_exec import ExecTool, ToolResult


async def call(
    tool: ExecTool,
    arguments: Mapping[str, Any],
    token: CancellationToken | None,
    *,
    name: str = "exec",
    owner: str = "",
) -> ToolResult:
    """As `ExecTool.call`.

    Raises:
        asyncio.CancelledError: By the token, or as ever.
        Closed: The tool was closed.
    """
    if token is None:
        return await tool.call(arguments, name=name, owner=owner)
    link = _Link(token)
    try:
        done = await tool.call(arguments, name=name, owner=owner)
        if link.is_cut:
            await asyncio.sleep(0)  # which raises it
        return done
    finally:
        link.release()


class _Link:
    """Lets a token cancel the task that we are in. A task for the call alone, as
    `CancellationToken.link_future` wants one, would cost as much as all else of a call here.
    """

    def __init__(self, token: CancellationToken) -> None:
        self.is_cut = False
        if token.is_cancelled():
            raise asyncio.CancelledError
        self._task = asyncio.current_task()
        token.add_callback(self._cut)

    def _cut(self) -> None:
        # A token calls whoever was ever linked, also after that has ended.
        if self._task is not None and not self.is_cut:
            self.is_cut = True
            self._task.cancel()

    def release(self) -> None:
        """What was cancelled by the token is the call, not the task."""
        if self._task is not None and self.is_cut:
            self._task.uncancel()
        self._task = None
