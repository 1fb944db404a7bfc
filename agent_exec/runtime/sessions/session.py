"""One background session. It lives on the loop of its worker, and is called nowhere else."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from agent_exec.errors import AgentExecError, Closed, InvalidCall
from agent_exec.model.decision import Grant
from agent_exec.model.outcome import Ended
from agent_exec.model.result import ToolResult
from agent_exec.model.session import SessionState
from agent_exec.named_tuple import NamedTuple
from agent_exec.runtime.refusal import not_run
from agent_exec.runtime.sessions.ring import Ring
from agent_exec.runtime.sessions.signals import send
from agent_exec.runtime.sessions.wires import Wires
from agent_exec.runtime.spill import OutputFile
from agent_exec.schema.redact import Redactor
from agent_exec.schema.window import window

GATHER_S = 0.03
"""How long a read that was woken waits for what comes with it."""
_CHUNK = 64 * 1024
_CHUNKS_AT_ONCE = 4
_REST_S = 0.005
"""Between two bursts, so that who writes without end takes no whole core of ours to read."""
_LAST_CHUNKS = 64
_WRITE_S = 5.0
_NOTHING = Redactor((), ())
"""To take out."""


class Part(NamedTuple):
    """Of an output, as one read shows it."""

    text: str
    state: SessionState
    result: ToolResult
    """What has become of the session so far."""


class About(NamedTuple):
    """What a session is told at its start."""

    handle: str
    owner: str
    grant: Grant
    command: str
    """What it runs, for people."""
    idle_s: float
    mark: bytes


class Session:
    """Runs one call, keeps what it writes, and ends it when nobody has read that for long.

    Args:
        about: What it is.
        wires: Its pipes or terminal, which it closes.
        ring: For its output.
        file: For the whole of it, too; or None. Closed here.
        redact: Takes secrets out of what is read.
        run: Makes the call.
        tell: Is told that it has begun, and what became of it.
    """

    def __init__(
        self,
        about: About,
        wires: Wires,
        ring: Ring,
        file: OutputFile | None,
        redact: Redactor,
        run: Callable[[], Coroutine[Any, Any, ToolResult]],
        tell: Callable[[ToolResult], None],
    ) -> None:
        self.about = about
        self._wires = wires
        self._ring = ring
        self._file = file
        self._filed = 0
        self._file_error: str | None = None
        self._redact = redact
        self._run = run
        self._tell_of = tell
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._touched = self._began
        self._read_to = 0
        self._readers = 0
        """That wait just now."""
        self._news = asyncio.Event()
        self._writing = asyncio.Lock()
        self._why_ended: str | None = None
        self.failed: AgentExecError | None = None
        """Why it never ran."""
        self.result: ToolResult | None = None
        """At its end."""

    def has_ended(self) -> bool:
        """Whether it has a result."""
        return self.result is not None

    @property
    def age_s(self) -> float:
        """Since it was started; of one that has ended, how long it ran."""
        if self.result is not None:
            return self.result.duration_ms / 1000
        return self._loop.time() - self._began

    @property
    def idle_s(self) -> float:
        """Since somebody asked for it."""
        return self._loop.time() - self._touched

    def start(self) -> None:
        """Begin. From now on its end is told, whatever comes."""
        self._tell_of(self._result())
        self._call = self._loop.create_task(self._run())
        # Comes also where the call, or who watches it, is cancelled before it has begun.
        self._call.add_done_callback(self._finish)
        self._loop.add_reader(self._wires.output, self._readable)
        self._watching = self._loop.create_task(self._watch())

    def forget(self) -> None:
        """In a process that was just forked: close what the other one's session has open."""
        self._wires.close()
        if self._file is not None:
            self._file.close(keep=True)

    async def _watch(self) -> None:
        """End it when nobody asks for it."""
        while not self._call.done():
            if self._readers:
                self._touched = self._loop.time()
            left = self._touched + self.about.idle_s - self._loop.time()
            if left <= 0:
                self.end(f"nobody has read it for {self.about.idle_s:g} s")
            await asyncio.wait([self._call], timeout=max(left, 0.0) or None)

    def end(self, why: str) -> None:
        """Have it ended: SIGTERM, the grace, SIGKILL."""
        if self._why_ended is None and not self._call.done():
            self._why_ended = why
            self._call.cancel()

    async def settled(self, within_s: float) -> None:
        """Until it has ended, but not for long."""
        await self._until(self.has_ended, self._loop.time() + within_s)

    async def ended(self) -> None:
        """Until it has ended."""
        while not self.has_ended():
            await self._news.wait()

    async def read(
        self, offset: int | None, wait_s: float, most: int, *, as_it_is: bool = False
    ) -> Part:
        """A part of the output.

        Args:
            offset: Of its first byte; None for what is new since the last read, as far as it
                is the newest.
            wait_s: How long to wait for something, when there is nothing.
            most: Bytes.
            as_it_is: With its secrets.

        Raises:
            InvalidCall: It has not written so much.
        """
        redact = _NOTHING if as_it_is else self._redact
        self._touched = self._loop.time()
        if offset is not None and offset > self._ring.end:
            raise InvalidCall(
                f"offset {offset} is beyond the {self._ring.end} bytes that it has written; send "
                f"{self._ring.end}, or null for what is new"
            )
        self._readers += 1
        try:
            part = await self._come(partial(self._part, offset, most, redact), wait_s)
        finally:
            self._readers -= 1
            self._touched = self._loop.time()
        self._read_to = max(self._read_to, part.state.next_offset)
        return part

    async def _come(self, look: Callable[[], Part], wait_s: float) -> Part:
        """What there is to see, or comes in time."""
        part = look()
        by = self._loop.time() + wait_s
        if part.text or self.has_ended() or wait_s <= 0:
            return part
        await self._until(lambda: self.has_ended() or bool(look().text), by)
        if not self.has_ended() and self._loop.time() < by:
            await self.settled(min(GATHER_S, by - self._loop.time()))
        return look()

    def state(self) -> Part:
        """How it is, without any output."""
        end = self._read_to
        return Part("", self._state(end, end, 0), self._result())

    def _part(self, offset: int | None, most: int, redact: Redactor) -> Part:
        ring = self._ring
        asked = self._read_to if offset is None else offset
        begin = max(asked, ring.first)
        if offset is None:
            begin = max(begin, ring.end - most)
        end = min(ring.end, begin + most)
        data, base = ring.around(begin, end)
        goes_on = self.result is None or base + len(data) < ring.end
        seen = window(data, begin - base, end - base, goes_on=goes_on, redact=redact)
        state = self._state(base + seen.begin, base + seen.end, begin - asked)
        return Part(seen.text, state, self._result())

    def _state(self, offset: int, next_offset: int, dropped: int) -> SessionState:
        return SessionState(
            self.about.handle,
            running=self.result is None,
            offset=offset,
            next_offset=next_offset,
            dropped=dropped,
            size=self._ring.end,
        )

    def _result(self) -> ToolResult:
        if self.result is not None:
            return self.result
        request, decision = self.about.grant.request, self.about.grant.decision
        return ToolResult(
            id=request.id,
            verdict=decision.verdict,
            route=decision.route,
            route_reason=decision.route_reason,
            ended=Ended.RUNNING,
            duration_ms=self._duration_ms(),
            notices=request.notices,
        )

    def _duration_ms(self) -> float:
        return round((self._loop.time() - self._began) * 1000, 3)

    async def write(self, data: bytes, *, close: bool) -> int:
        """Write to its input; how many bytes it took, within a bounded time.

        Raises:
            InvalidCall: It has none any more.
        """
        self._touched = self._loop.time()
        async with self._writing:
            self._check_input()
            if close and self._wires.is_terminal:
                data += self._wires.end_of_input()
            written = await self._write(data)
            if close and written == len(data) and not self._wires.is_terminal:
                self._wires.close_input()
        return written

    def _check_input(self) -> None:
        if self.result is not None:
            raise InvalidCall(
                f"session {self.about.handle} has ended and reads nothing; "
                "read it with exec_read, or start another"
            )
        if self._wires.input is None:
            raise InvalidCall(
                f"the input of session {self.about.handle} has ended: it was closed, or given "
                "with the call"
            )

    async def _write(self, data: bytes) -> int:
        by = self._loop.time() + _WRITE_S
        rest = memoryview(data)
        while rest and self._wires.input is not None:
            try:
                rest = rest[os.write(self._wires.input, rest) :]
            except BlockingIOError:
                if not await self._is_writable(by):
                    break
            except OSError:  # EIO: nobody has the terminal any more
                break
        return len(data) - len(rest)

    async def _is_writable(self, by: float) -> bool:
        """False when it does not come to read in time."""
        left, fd = by - self._loop.time(), self._wires.input
        if left <= 0 or fd is None:
            return False
        ready = asyncio.Event()
        self._loop.add_writer(fd, ready.set)
        try:
            async with asyncio.timeout(left):
                await ready.wait()
        except TimeoutError:
            return False
        finally:
            if self._wires.input is not None:
                self._loop.remove_writer(fd)
        return True

    def resize(self, rows: int, columns: int) -> None:
        """Of its terminal.

        Raises:
            InvalidCall: It has none, or has ended.
        """
        self._touched = self._loop.time()
        if not self._wires.is_terminal:
            raise InvalidCall(
                f"session {self.about.handle} has no terminal; start it with terminal: true"
            )
        self._check_input()
        self._wires.resize(rows, columns)

    def signal(self, number: int) -> int:
        """Send a signal to what it runs now; how many processes got it.

        Raises:
            InvalidCall: It has ended.
        """
        self._touched = self._loop.time()
        if self.result is not None:
            raise InvalidCall(f"session {self.about.handle} has ended; no signal reaches it")
        group = self._wires.foreground() if self._wires.is_terminal else 0
        return send(number, self.about.mark, group)

    async def _until(self, true: Callable[[], bool], by: float) -> None:
        while not true():
            left = by - self._loop.time()
            if left <= 0:
                return
            try:
                async with asyncio.timeout(left):
                    await self._news.wait()
            except TimeoutError:
                return

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _readable(self) -> None:
        for _ in range(_CHUNKS_AT_ONCE):
            chunk = self._wires.read(_CHUNK)
            if not chunk:
                if chunk is not None:
                    # Its end, while somebody lives: they have closed it.
                    self._loop.remove_reader(self._wires.output)
                break
            self._take(chunk)
        else:
            self._loop.remove_reader(self._wires.output)
            self._loop.call_later(_REST_S, self._read_on)
        self._tell()

    def _read_on(self) -> None:
        if self.result is None and self._wires.output >= 0:
            self._loop.add_reader(self._wires.output, self._readable)

    def _take(self, chunk: bytes) -> None:
        self._ring.feed(chunk)
        if self._file is None or self._file_error is not None:
            return
        rest = memoryview(chunk)[: max(0, self._file.spill.cap - self._filed)]
        while rest:
            try:
                written = os.write(self._file.spill.fd, rest)
            except OSError as error:
                self._file_error = error.strerror
                return
            self._filed += written
            rest = rest[written:]

    def _finish(self, call: asyncio.Task[ToolResult]) -> None:
        """Read what is left, close what is open, tell."""
        self._loop.remove_reader(self._wires.output)
        if self._wires.input is not None:
            self._loop.remove_writer(self._wires.input)
        self._wires.close_theirs()
        for _ in range(_LAST_CHUNKS):
            chunk = self._wires.read(_CHUNK)
            if not chunk:
                break
            self._take(chunk)
        self._wires.close()
        file, self._file = self._file, None
        result = self._outcome(call, file)
        if file is not None:
            file.close(keep=self.failed is None)
        self._tell_of(result)
        self.result = result
        self._tell()

    def _outcome(self, call: asyncio.Task[ToolResult], file: OutputFile | None) -> ToolResult:
        error = None if call.cancelled() else call.exception()
        if not call.cancelled() and error is None:
            result = call.result()
        elif isinstance(error, AgentExecError) and not isinstance(error, Closed):
            self.failed = error
            result = not_run(error, self.about.grant.request.id)
        else:
            result = self._result()._replace(ended=Ended.CANCELLED)
            why = self._why_ended or "its owner has ended"
            if error is not None and not isinstance(error, Closed):
                why = repr(error)
                self._loop.call_exception_handler(
                    {"message": "a session has ended by a mistake", "exception": error}
                )
            result = result._replace(notices=(*result.notices, f"it was ended: {why}"))
        out = result.stdout._replace(size=self._ring.end)
        result = result._replace(stdout=out, duration_ms=self._duration_ms())
        return result if file is None else self._with_file(result, file)

    def _with_file(self, result: ToolResult, file: OutputFile) -> ToolResult:
        result = result._replace(stdout=result.stdout._replace(file=file.path))
        if self._filed == self._ring.end:
            return result
        why = self._file_error or "the limit of a file"
        said = f"{file.path} has only the first {self._filed} of {self._ring.end} bytes ({why})"
        return result._replace(notices=(*result.notices, said))


def shown_command(grant: Grant) -> str:
    """What a grant runs, in one line."""
    call = grant.request.call
    if call.command is not None:
        return call.command
    return " | ".join(shlex.join(argv) for argv in call.stages)
