"""A background session in the hands of a program."""

from __future__ import annotations

import signal as signals
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio

from agent_exec.errors import Closed
from agent_exec.model.result import Output, ToolResult
from agent_exec.runtime.checks import whole_number
from agent_exec.runtime.sessions.session import Part, Session
from agent_exec.runtime.sessions.signals import signal_number
from agent_exec.runtime.sessions.worker import Worker, result_of

_T = TypeVar("_T")
_END_S = 10.0
"""What takes longer to end goes on ending by itself."""
_MOST_SIZE = 10_000
_MOST_BYTES = 1 << 30


class BackgroundSession:
    """Of `ExecTool.start`. Under asyncio or trio, from any loop.

    As a context manager it is stopped at the end of the block. What is read is a `ToolResult`:
    ``stdout.head`` is the text, errors included; `ended` is RUNNING until it has ended; `session`
    has the offsets. Every method raises `Closed` when the tool has been closed.
    """

    def __init__(self, session: Session, worker: Worker) -> None:
        self._session = session
        self._worker = worker

    @property
    def handle(self) -> str:
        """By which a model names it."""
        return self._session.about.handle

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._session.result is None

    async def read(
        self, offset: int | None = None, *, wait_s: float = 0.0, most: int = 1024 * 1024
    ) -> ToolResult:
        """A part of the output.

        Args:
            offset: Of its first byte; None for what is new since the last read.
            wait_s: How long to wait for something, when there is nothing.
            most: Bytes.

        Raises:
            InvalidCall: It has not written so much.
        """
        if offset is not None:
            whole_number("offset", offset, least=0)
        whole_number("most", most, least=1, most=_MOST_BYTES)
        return shown(await self._on(self._session.read(offset, wait_s, most, as_it_is=True)))

    async def write(self, data: str | bytes, *, close: bool = False) -> int:
        """Write to its input; how many bytes it took within a few seconds.

        Args:
            data: Text is written as UTF-8.
            close: Its input ends behind that.

        Raises:
            InvalidCall: It has none, or it has ended.
        """
        written = data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data
        return await self._on(self._session.write(written, close=close))

    async def resize(self, rows: int, columns: int) -> None:
        """Of its terminal: it gets SIGWINCH.

        Raises:
            InvalidCall: It has none, or it has ended.
        """
        whole_number("rows", rows, least=1, most=_MOST_SIZE)
        whole_number("columns", columns, least=1, most=_MOST_SIZE)
        await self._on(_do_resize(self._session, rows, columns))

    async def signal(self, signum: int | str) -> int:
        """Send a signal to what it runs now; how many processes got it.

        Raises:
            InvalidCall: There is no such signal, or it has ended.
        """
        name = signum if isinstance(signum, str) else signals.Signals(signum).name
        return await self._on(_do_signal(self._session, signal_number(name)))

    async def stop(self) -> ToolResult:
        """End it and all that it has started: SIGTERM, the grace, SIGKILL. What was not read."""
        return shown(await self._on(_do_stop(self._session)))

    async def wait(self) -> ToolResult:
        """Until it ends by itself. What was not read."""
        return shown(await self._on(_do_wait(self._session)))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with anyio.move_on_after(_END_S, shield=True), suppress(Closed):
            await self.stop()

    async def _on(self, work: Coroutine[Any, Any, _T]) -> _T:
        return await result_of(self._worker.submit(work))


def shown(part: Part) -> ToolResult:
    """One read as a result."""
    size = part.state.next_offset - part.state.offset
    out = Output(part.text, size=size, file=part.result.stdout.file)
    return part.result._replace(stdout=out, session=part.state)


async def _do_resize(session: Session, rows: int, columns: int) -> None:
    session.resize(rows, columns)


async def _do_signal(session: Session, number: int) -> int:
    return session.signal(number)


async def _do_stop(session: Session) -> Part:
    session.end("it was stopped")
    return await _do_wait(session)


async def _do_wait(session: Session) -> Part:
    await session.ended()
    return await session.read(None, 0, _MOST_BYTES, as_it_is=True)
