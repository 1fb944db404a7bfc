"""Sessions as a model uses them: what it sends to `exec_read`, `exec_write` and `exec_stop`."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from typing import Any, TypeVar

from agent_exec.errors import InvalidCall
from agent_exec.model.decision import Grant, Verdict
from agent_exec.model.outcome import Ended
from agent_exec.model.result import Output, ToolResult
from agent_exec.named_tuple import NamedTuple
from agent_exec.runtime.audit.record import CallRecord
from agent_exec.runtime.presenting import MODEL_BYTES
from agent_exec.runtime.sessions.handle import BackgroundSession, shown
from agent_exec.runtime.sessions.session import Part, Session
from agent_exec.runtime.sessions.signals import signal_number
from agent_exec.runtime.sessions.table import Sessions
from agent_exec.runtime.sessions.worker import result_of
from agent_exec.schema.arguments import TOOLS, ReadArguments, StopArguments, WriteArguments
from agent_exec.schema.harmless import one_line
from agent_exec.schema.read_call import read_read, read_stop, read_write
from agent_exec.schema.text import duration

_T = TypeVar("_T")

START_S = 0.25
"""What a session may end within, or write, for its start to tell of it; after a write the same."""
MOST_WAIT_S = 300.0
_MOST_SIZE = 10_000
_LONGEST_COMMAND = 80


class Answer(NamedTuple):
    """Of a companion: to be presented as a session's."""

    result: ToolResult
    hints: tuple[str, ...] = ()


class Served:
    """The sessions of a tool, for calls in JSON and for programs. Safe from any loop.

    Args:
        sessions: Of the tool.
        record: Writes what is to be known of a call later.
    """

    def __init__(
        self,
        sessions: Sessions,
        record: Callable[[CallRecord, ToolResult | BaseException], None],
    ) -> None:
        self.sessions = sessions
        self._record = record

    async def start(self, grant: Grant, record: CallRecord, owner: str) -> BackgroundSession:
        """Begin a session.

        Raises:
            InvalidCall: There are as many as there may be.
            Unsupported: There can be no terminal here.
            TemplateError, LaunchError: It was found, and did not become a process.
            Closed: The tool was closed.
        """
        return (await self._begun(grant, record, owner, _settle))[0]

    async def begin(self, grant: Grant, record: CallRecord, owner: str) -> ToolResult:
        """The same; what it has written by then."""
        return shown((await self._begun(grant, record, owner, _first))[1])

    async def _begun(
        self,
        grant: Grant,
        record: CallRecord,
        owner: str,
        look: Callable[[Session], Coroutine[Any, Any, _T]],
    ) -> tuple[BackgroundSession, _T]:
        sessions = self.sessions
        try:
            starting = sessions.start(grant, owner, partial(self._record, record))
            session = await result_of(starting)
        except BaseException as error:
            self._record(record, error)
            raise
        worker = sessions.worker()
        try:
            seen = await result_of(worker.submit(look(session)))
        except BaseException:
            # Whoever has asked for it will never learn its handle.
            worker.submit(_end(session, "the call that started it was cancelled"))
            raise
        if session.failed is not None:
            sessions.drop(session)
            raise session.failed
        return BackgroundSession(session, worker), seen

    async def serve(self, name: str, arguments: object, *, owner: str, id_: str) -> Answer:
        """What a model gets for a call of a companion.

        Args:
            name: ``exec_read``, ``exec_write`` or ``exec_stop``.
            arguments: An object, or the text of one.
            owner: Whose sessions they are.
            id_: Of this call.

        Raises:
            InvalidCall: It makes no sense now; the message says what to send instead.
            Closed: The tool was closed.
        """
        sessions = self.sessions
        if name == "exec_read":
            read = read_read(arguments)
            if read.session is None:
                return Answer(_listed(sessions.of(owner), sessions.bounds.most, id_))
            return await self._on(_read(sessions.find(read.session, owner), read))
        if name == "exec_write":
            write = read_write(arguments)
            return await self._on(_write(sessions.find(write.session, owner), write))
        if name == "exec_stop":
            stop = read_stop(arguments)
            return await self._on(_stop(sessions.find(stop.session, owner), stop))
        raise InvalidCall(f"there is no tool {name!r:.60}; there are {', '.join(TOOLS)}")

    async def _on(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        return await result_of(self.sessions.worker().submit(work))


async def _settle(session: Session) -> None:
    """Until it has written something or ended, or a moment has passed; nothing of it is read."""
    await session.settled(START_S)


async def _first(session: Session) -> Part:
    """What it has written at once, or how it has ended at once."""
    await session.settled(START_S)
    return await session.read(None, 0, MODEL_BYTES)


async def _end(session: Session, why: str) -> None:
    session.end(why)


async def _read(session: Session, read: ReadArguments) -> Answer:
    if read.offset is not None and read.offset < 0:
        raise InvalidCall(f"offset is {read.offset}; it counts from 0, and null is what is new")
    wait_s = (read.wait_ms or 0) / 1000
    hints: tuple[str, ...] = ()
    if wait_s < 0:
        raise InvalidCall(f"wait_ms is {read.wait_ms}; send 0 or more")
    if wait_s > MOST_WAIT_S:
        wait_s = MOST_WAIT_S
        hints = (f"wait_ms was taken for {MOST_WAIT_S * 1000:.0f}, the longest wait",)
    if read.bytes is not None and read.bytes < 1:
        raise InvalidCall(f"bytes is {read.bytes}; send 1 or more, or null for {MODEL_BYTES}")
    part = await session.read(read.offset, wait_s, read.bytes or MODEL_BYTES)
    return Answer(shown(part), hints)


async def _write(session: Session, write: WriteArguments) -> Answer:
    said = []
    if write.rows is not None or write.columns is not None:
        session.resize(_size("rows", write.rows), _size("columns", write.columns))
        said.append(f"its terminal has {write.rows} rows and {write.columns} columns now")
    if write.text is not None or write.close:
        data = _bytes(write.text or "")
        written = await session.write(data, close=bool(write.close))
        said.append(f"wrote {min(written, len(data))} bytes")
        if written < len(data):
            said[-1] += f" of {len(data)}; it reads no more now. Send the rest later"
        elif write.close:
            said[-1] += ", and the end of its input"
    if not said:
        raise InvalidCall("there is nothing to write; send text, close, or rows and columns")
    part = await session.read(None, START_S, MODEL_BYTES)
    return Answer(shown(part), tuple(said))


async def _stop(session: Session, stop: StopArguments) -> Answer:
    if stop.signal is not None:
        number = signal_number(stop.signal)
        reached = session.signal(number)
        part = await session.read(None, START_S, MODEL_BYTES)
        return Answer(shown(part), (f"{reached} processes got {stop.signal}",))
    hints = () if session.result is None else ("it had ended before",)
    session.end("it was stopped")
    await session.ended()
    return Answer(shown(await session.read(None, 0, MODEL_BYTES)), hints)


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise InvalidCall(f"text: {error.object[error.start]!r} is no character") from None


def _size(name: str, value: int | None) -> int:
    if value is None or not 1 <= value <= _MOST_SIZE:
        raise InvalidCall(f"{name} is {value}; send rows and columns, each from 1 to {_MOST_SIZE}")
    return value


def _listed(sessions: Iterable[Session], most: int, id_: str) -> ToolResult:
    lines = [_line(each) for each in sessions]
    text = "".join(f"{line}\n" for line in lines)
    head = f"{len(lines)} sessions; {most} may run at once"
    return ToolResult(
        id=id_,
        verdict=Verdict.ALLOW,
        route=None,
        ended=Ended.EXIT,
        status=0,
        stdout=Output(text, size=len(text.encode("utf-8", "replace"))),
        text=f"{head}\n{text}".rstrip("\n"),
    )


def _line(session: Session) -> str:
    state = session.state()
    command = one_line(session.about.command)
    if len(command) > _LONGEST_COMMAND:
        command = f"{command[:_LONGEST_COMMAND]}..."
    word = "running" if state.state.running else f"ended ({_how(state.result)})"
    age = duration(session.age_s * 1000)
    unread = state.state.size - state.state.next_offset
    return f"{session.about.handle}: {word}, {age}, {unread} bytes not read: {command}"


def _how(result: ToolResult) -> str:
    if result.ended is Ended.EXIT:
        return f"exit status {result.status}"
    return result.ended.value
