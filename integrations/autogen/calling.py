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
    running = asyncio.ensure_future(tool.call(arguments, name=name, owner=owner))
    token.link_future(running)
    return await running
