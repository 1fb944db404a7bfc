"""One seam for many machines: a call goes in as plain data, and its result comes out so.

`ExecBackend` is what runs calls for somebody who does not care where. `LocalBackend` runs them in
this process; `agent_exec.integrations.ray` on the nodes of a Ray cluster.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, Self, TypeAlias

import anyio
from anyio.abc import ObjectSendStream

from agent_exec.errors import AgentExecError, Closed, InvalidCall
from agent_exec.model.call import ToolCall
from agent_exec.model.result import ToolResult
from agent_exec.named_tuple import NamedTuple
from agent_exec.runtime.call_options import CallOptions
from agent_exec.runtime.refusal import not_run
from agent_exec.tool import ExecTool

_CHUNK_BYTES = 64 * 1024
# Chunks that wait for whoever reads them; a child that says more waits, too.
_MOST_WAITING = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendCall:
    """One call, and where it is to run: all that a machine far away has to know. Plain data."""

    worktree: str
    """As the backend knows it: an absolute path on the machine that has it."""
    arguments: Mapping[str, Any]
    """What a model has sent; see `ExecTool.call`."""
    policy: str = "default"
    """One of the backend's."""
    asked_by: str | None = None
    """Who sends it, for the audit log of that machine."""
    name: str = "exec"
    """Of the tool that the model has called. Those that go on with a background session find it
    by the worktree and the policy of the call that started it."""
    owner: str = ""
    """Whose background sessions it may start and use; see `ExecBackend.end_sessions`."""

    def to_json(self) -> dict[str, Any]:
        """An object for `json.dumps`."""
        return asdict(self)

    @classmethod
    def from_json(cls, shown: Mapping[str, Any]) -> Self:
        """The call that `to_json` has shown.

        Raises:
            TypeError: It is no such object.
        """
        return cls(**shown)


class BackendResult(NamedTuple):
    """What became of a call. Plain data."""

    node: str
    """Where it ran."""
    result: dict[str, Any]
    """The object of ``run --json``; of a streamed call without the outputs."""
    text: str | None
    """All of it for a model to read; None of a streamed call."""


class Chunk(NamedTuple):
    """A part of an output, as the child wrote it: nothing is redacted in it."""

    stream: str
    """``stdout`` or ``stderr``."""
    data: bytes


StreamEvent: TypeAlias = Chunk | BackendResult
"""Chunks, and the result as the last."""


class ExecBackend(Protocol):
    """Runs calls, here or elsewhere. What becomes of a call is data; that it is lost is raised.

    A call whose awaiting task is cancelled, or whose stream is left, is ended with all that it
    has started.
    """

    async def run(self, call: BackendCall) -> BackendResult:
        """Run a call to its end.

        Raises:
            InvalidCall: The backend has no such worktree or policy.
            BackendLost: The machine is gone; whether the call ran is not known.
            Closed: The backend was closed.
        """
        ...

    def stream(self, call: BackendCall) -> AbstractAsyncContextManager[AsyncIterator[StreamEvent]]:
        """Run a call, and have its outputs while it runs. Raises as `run`."""
        ...

    async def end_sessions(self, owner: str) -> None:
        """End the background sessions of an owner of calls, who is gone. Does not wait for it."""
        ...

    async def aclose(self) -> None:
        """End what runs, background sessions too. Idempotent."""
        ...


@dataclass(kw_only=True)
class LocalBackend:
    """Runs calls in this process: a tool for each worktree and policy, made when it is needed.

    Under asyncio and trio.
    """

    worktrees: Collection[str]
    """Absolute paths; other calls are refused."""
    policies: Collection[str] = ("default",)
    """What a call may name; other calls are refused."""
    node: str = "local"
    """What results say of where they ran."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """More for each `ExecTool`, such as ``audit`` or ``launcher``."""

    def __post_init__(self) -> None:
        self._holds = ExitStack()
        self._tools: dict[tuple[str, str], ExecTool] = {}
        self._is_closed = False

    async def run(self, call: BackendCall) -> BackendResult:
        tool = self._tool(call)
        result = await tool.call(
            call.arguments, name=call.name, asked_by=call.asked_by, owner=call.owner
        )
        return BackendResult(self.node, result.to_json(), result.text)

    @asynccontextmanager
    async def stream(self, call: BackendCall) -> AsyncIterator[AsyncIterator[StreamEvent]]:
        tool = self._tool(call)
        send, receive = anyio.create_memory_object_stream[StreamEvent](_MOST_WAITING)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._feed, tool, call, send)
                try:
                    yield receive
                finally:
                    tasks.cancel_scope.cancel()
                    receive.close()
        except BaseExceptionGroup as group:
            if len(group.exceptions) > 1:
                raise
            raise group.exceptions[0] from None

    async def end_sessions(self, owner: str) -> None:
        for tool in self._tools.values():
            tool.end_sessions(owner)

    async def aclose(self) -> None:
        self._is_closed = True
        self._holds.close()

    def _tool(self, call: BackendCall) -> ExecTool:
        if self._is_closed:
            raise Closed("the backend was closed")
        check_place(call, self.worktrees, self.policies)
        key = call.worktree, call.policy
        if key not in self._tools:
            made = ExecTool(call.worktree, policy=call.policy, **self.options)
            self._tools[key] = self._holds.enter_context(made)
        return self._tools[key]

    async def _feed(
        self, tool: ExecTool, call: BackendCall, send: ObjectSendStream[StreamEvent]
    ) -> None:
        # pydantic takes longer to import than all else that a tool needs.
        from agent_exec.schema.read_call import read_call  # noqa: PLC0415

        async with send:
            try:
                if call.name != "exec":
                    raise InvalidCall(f"{call.name} has no output to stream; use run")
                result = await _run_streamed(tool, read_call(call.arguments).call, send)
            except Closed:
                raise
            except AgentExecError as error:
                result = not_run(error)
            await send.send(BackendResult(self.node, result.to_json(), None))


def check_place(call: BackendCall, worktrees: Collection[str], policies: Collection[str]) -> None:
    """Raise InvalidCall for a worktree or policy that is not among those of a backend."""
    for kind, given, known in (
        ("worktree", call.worktree, worktrees),
        ("policy", call.policy, policies),
    ):
        if given not in known:
            raise InvalidCall(f"the backend has no {kind} {given!r}; it has {', '.join(known)}")


async def _run_streamed(
    tool: ExecTool, call: ToolCall, send: ObjectSendStream[StreamEvent]
) -> ToolResult:
    if call.background or call.stdout_file is not None:
        raise InvalidCall("background and stdout_file have no output to stream; use run")
    with ExitStack() as holds:
        pipes = [_Pipe(name, send, holds) for name in ("stdout", "stderr")]
        options: CallOptions = {
            "stdin": call.stdin,
            "stdout": pipes[0].write_end,
            "stderr": pipes[1].write_end,
            "cwd": call.cwd,
            "env": call.env,
            "timeout_s": call.timeout_s,
        }
        # An error that left the group would leave it as one of a group.
        ended: ToolResult | AgentExecError
        async with anyio.create_task_group() as readers:
            for pipe in pipes:
                readers.start_soon(pipe.forward)
            try:
                if call.command is not None:
                    ended = await tool.run_shell(call.command, **options)
                else:
                    ended = await tool.run_pipeline(call.stages, **options)
            except AgentExecError as error:
                ended = error
            finally:
                for pipe in pipes:
                    pipe.finish()
    if isinstance(ended, AgentExecError):
        raise ended
    return ended


class _Pipe:
    """An output on its way: what is written to `write_end` is sent on. `holds` closes it."""

    def __init__(self, name: str, send: ObjectSendStream[StreamEvent], holds: ExitStack) -> None:
        self._name = name
        self._send = send
        self._read_end, self.write_end = os.pipe2(os.O_CLOEXEC)
        holds.callback(os.close, self._read_end)
        self._writer = holds.enter_context(ExitStack())
        self._writer.callback(os.close, self.write_end)
        os.set_blocking(self._read_end, False)
        self._waiting: anyio.CancelScope | None = None
        self._is_finished = False

    async def forward(self) -> None:
        """To end of file; or, when the call is over, as far as there is anything.

        What a call leaves running may hold the other end for ever.
        """
        while True:
            try:
                data = os.read(self._read_end, _CHUNK_BYTES)
            except BlockingIOError:
                if self._is_finished:
                    return
                with anyio.CancelScope() as self._waiting:
                    await anyio.wait_readable(self._read_end)
                continue
            if not data:
                return
            await self._send.send(Chunk(self._name, data))

    def finish(self) -> None:
        """The call is over: no more is to be waited for."""
        self._is_finished = True
        self._writer.close()
        if self._waiting is not None:
            self._waiting.cancel()
