"""What the tests of background sessions share: a model that calls the tool, and waits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
from anyio import to_thread
from realproc import PATIENCE_S, wait_until

from agent_exec import ExecTool, ToolResult
from agent_exec.model.session import SessionState

# What reads until it is told more, and does not end by SIGTERM; it says when it is ready.
DEAF = "trap '' TERM; echo ready; while :; do sleep 100; done"
# A process in a session and group of its own, without the environment of ours.
LEAVES = "setsid env -i sleep 1000 & echo $!; wait"


class Model:
    """Calls the tools as a model does; what it waits for has to come."""

    def __init__(self, tool: ExecTool, owner: str = "") -> None:
        self.tool = tool
        self.owner = owner

    async def exec(self, *argv: str, **fields: Any) -> ToolResult:
        given = {"argv": list(argv)} if argv else {}
        arguments = given | {"background": True} | fields
        return await self.tool.call(arguments, owner=self.owner)

    async def start(self, *argv: str, **fields: Any) -> str:
        result = await self.exec(*argv, **fields)
        assert result.error is None, result.error
        return state(result).handle

    async def read(self, session: str | None = None, **fields: Any) -> ToolResult:
        arguments = {"session": session, **fields}
        return await self.tool.call(arguments, name="exec_read", owner=self.owner)

    async def write(self, session: str, text: str | None = None, **fields: Any) -> ToolResult:
        arguments = {"session": session, "text": text, **fields}
        return await self.tool.call(arguments, name="exec_write", owner=self.owner)

    async def stop(self, session: str, signal: str | None = None) -> ToolResult:
        arguments = {"session": session, "signal": signal}
        return await self.tool.call(arguments, name="exec_stop", owner=self.owner)

    async def until(self, session: str, text: str) -> str:
        """All of the output, as soon as `text` stands in it."""
        whole = ""
        with anyio.fail_after(PATIENCE_S):
            while text not in whole:
                result = await self.read(session, offset=0, wait_ms=100, bytes=1 << 20)
                whole = result.stdout.head
                if not state(result).running:
                    break
        assert text in whole
        return whole

    async def ended(self, session: str) -> ToolResult:
        """The last read of a session that ends by itself."""
        with anyio.fail_after(PATIENCE_S):
            while True:
                # New output ends a wait, and so does the end.
                result = await self.read(session, offset=0, bytes=1 << 20)
                if not state(result).running:
                    return result
                with suppress(TimeoutError):
                    await self.read(session, offset=state(result).size, wait_ms=100)


async def come(true: Callable[[], bool]) -> None:
    """Wait for what nothing announces."""
    await to_thread.run_sync(wait_until, true)


def state(result: ToolResult) -> SessionState:
    assert result.session is not None, result.text
    return result.session


def talk(
    worktree: Path,
    use: Callable[[Model], Awaitable[Any]],
    *,
    backend: str = "asyncio",
    **options: Any,
) -> Any:
    """What `use` does with a model that has a tool, which is closed afterwards."""

    async def main() -> Any:
        async with ExecTool(worktree, **({"policy": "open"} | options)) as tool:
            return await use(Model(tool))

    return anyio.run(main, backend=backend)


def policy(folder: Path, text: str = "", **sessions: float) -> Path:
    """A policy that allows what `open` does, with these limits of sessions."""
    path = folder / "policy.yaml"
    limits = ", ".join(f"{name}: {value}" for name, value in sessions.items())
    path.write_text(f"version: 1\nextends: [open]\nsessions: {{{limits}}}\n{text}")
    return path
