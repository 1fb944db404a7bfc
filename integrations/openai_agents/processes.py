"""The commands of a sandbox session that go on: background sessions, by number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import anyio
from agents.sandbox.errors import PtySessionNotFoundError
from agents.sandbox.session.pty_types import (
    PtyExecUpdate,
    allocate_pty_process_id,
    clamp_pty_yield_time_ms,
    resolve_pty_write_yield_time_ms,
    truncate_text_by_tokens,
)

from agent_exec import (
    AgentExecError,
    BackgroundSession,
    ExecTool,
    LaunchError,
    ProgramNotFound,
)

_START_S = 10.0
_WRITE_S = 0.25
_MOST_BYTES = 1 << 20
"""Of one update."""
_NOT_RUN = 126
_NOT_FOUND = 127


class Processes:
    """Started, read, written to, and ended by the tools ``exec_command`` and ``write_stdin``.

    Args:
        tool: With which they end at the latest.
    """

    def __init__(self, tool: ExecTool) -> None:
        self._tool = tool
        self._running: dict[int, _Process] = {}

    async def start(
        self,
        arguments: Mapping[str, Any],
        *,
        terminal: bool,
        wait_s: float | None,
        most_tokens: int | None,
    ) -> PtyExecUpdate:
        """Begin a command; what it has written when it ends, or goes on.

        Args:
            arguments: ``argv`` or ``command``, ``cwd`` and ``timeout_ms``.
            terminal: It has one; else its input is empty.
            wait_s: How long to wait for its end.
            most_tokens: Of the output that is told.
        """
        timeout_ms = arguments.get("timeout_ms")
        options: dict[str, Any] = {
            "terminal": terminal,
            "stdin": None if terminal else b"",
            "cwd": arguments.get("cwd"),
            "timeout_s": None if timeout_ms is None else timeout_ms / 1000,
        }
        try:
            if "command" in arguments:
                session = await self._tool.start_shell(arguments["command"], **options)
            else:
                session = await self._tool.start(arguments["argv"], **options)
        except AgentExecError as error:
            missing = isinstance(error, ProgramNotFound | LaunchError)
            status = _NOT_FOUND if missing else _NOT_RUN
            return PtyExecUpdate(None, f"refused: {error}".encode(), status, None)
        number = allocate_pty_process_id(set(self._running))
        self._running[number] = _Process(session, terminal)
        wait_ms = clamp_pty_yield_time_ms(_ms(_START_S if wait_s is None else wait_s))
        return await self._update(number, wait_ms / 1000, most_tokens)

    async def write(
        self, number: int, text: str, *, wait_s: float | None, most_tokens: int | None
    ) -> PtyExecUpdate:
        """Write to the terminal of a command, or only look what it has written since.

        Raises:
            PtySessionNotFoundError: There is none of that number.
            RuntimeError: It has no terminal.
        """
        if number not in self._running:
            raise PtySessionNotFoundError(session_id=number)
        session, has_terminal, _ = self._running[number]
        if text:
            if not has_terminal:
                # The tool of the SDK knows these words.
                raise RuntimeError("stdin is not available for this process")
            if session.running:
                await session.write(text)
        asked_ms = _ms(_WRITE_S if wait_s is None else wait_s)
        wait_ms = resolve_pty_write_yield_time_ms(yield_time_ms=asked_ms, input_empty=not text)
        return await self._update(number, wait_ms / 1000, most_tokens)

    async def end_all(self) -> None:
        """With everything that they have started."""
        running, self._running = self._running, {}
        for each in running.values():
            await each.session.stop()

    async def _update(self, number: int, wait_s: float, most_tokens: int | None) -> PtyExecUpdate:
        process = self._running[number]
        with anyio.move_on_after(wait_s):
            await process.session.wait()
        ended = not process.session.running
        # Through the tool, which takes secrets out of what a model reads.
        given = {"session": process.session.handle, "offset": process.offset, "bytes": _MOST_BYTES}
        done = await self._tool.call(given, name="exec_read")
        state = done.session
        if state is None:
            del self._running[number]
            raise PtySessionNotFoundError(session_id=number)
        if ended:
            del self._running[number]
        else:
            self._running[number] = process._replace(offset=state.next_offset)
        text, tokens = truncate_text_by_tokens(done.stdout.head, most_tokens)
        output = text.encode("utf-8", "surrogateescape")
        if ended:
            return PtyExecUpdate(None, output, done.status, tokens)
        return PtyExecUpdate(number, output, None, tokens)


class _Process(NamedTuple):
    session: BackgroundSession
    has_terminal: bool
    offset: int = 0
    """Of what was not told of its output."""


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
