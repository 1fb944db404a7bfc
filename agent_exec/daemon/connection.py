"""One client of the daemon: its handshake, its requests, and what ends with it.

| op | fields | answer |
|---|---|---|
| hello | protocol, version, nonce | protocol, version, pid, nonce, proof |
| prove | proof | nothing |
| call | worktree, policy, arguments; name, owner, part, progress, live | result and ``text`` |
| check | worktree, policy, call; executor | the decision |
| judge | worktree, policy, command, cwd; program, options, timeout_s | what a host is to do |
| decide | worktree, policy, arguments | decision; question or null |
| approver | worktree or null; asked | nothing; from now on it is asked questions |
| answer | question, answer; or worktree, policy, decision, answer, owner, live | taken; result |
| cancel | request | cancelled |
| end | owner, part | nothing; the sessions of that owner are ended |
| status | | what the daemon does |
| stop | | nothing; it finishes what it does and ends |
"""

from __future__ import annotations

import asyncio
import hmac
import os
import socket
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Protocol

from agent_exec.daemon.approvers import Approvers
from agent_exec.daemon.lines import Lines, TooLong
from agent_exec.daemon.owner import Owner
from agent_exec.daemon.peer import Peer
from agent_exec.daemon.protocol import (
    MOST_BYTES,
    MOST_BYTES_BEFORE,
    PROTOCOL,
    as_line,
    early_id,
    proof,
    read_line,
    version_key,
)
from agent_exec.daemon.service import Service
from agent_exec.daemon.services import Services, real_worktree
from agent_exec.errors import AgentExecError, DaemonError, InvalidCall
from agent_exec.model.decision import Decision, Executor
from agent_exec.model.question import Answer
from agent_exec.runtime.host_command import HostCommand
from agent_exec.runtime.live import Live

Json = dict[str, Any]

MOST_REQUESTS = 1024
"""Of one connection, unanswered."""
HEARTBEAT_S = 1.0
LIVE_S = 0.2
"""Between two looks at what a call has written."""
_CHUNK = 256 * 1024
_HANDSHAKE_S = 10.0
# For a client that does not read what it has asked for.
_WRITE_S = 60.0


class Host(Protocol):
    """What a connection needs of the daemon."""

    token: bytes
    services: Services
    approvers: Approvers

    @property
    def draining(self) -> bool:
        """It takes no new calls."""

    def drain(self, why: str) -> None:
        """Take no new ones, finish those that are there, end."""

    def status(self) -> Json:
        """For people."""


class Connection:
    """Serves one client until it leaves.

    Args:
        host: The daemon.
        connected: The client's. Closed at the end.
        peer: Who it is.
        number: Unique in this daemon.
    """

    def __init__(
        self, host: Host, connected: socket.socket, peer: Peer, number: int, version: str
    ) -> None:
        self._host = host
        self._socket = connected
        self._peer = peer
        self._owner = Owner(number)
        self._version = version
        self._tasks: dict[int | str, asyncio.Task[None]] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._lives: dict[int | str, Live] = {}
        self._left = False
        self._nonces: str | None = None
        self._proved = False
        self._client_version = ""
        self._ops: Mapping[str, Callable[[Json], Awaitable[Json]]] = {
            "call": self._call,
            "check": self._check,
            "judge": self._judge,
            "decide": self._decide,
            "approver": self._approver,
            "answer": self._answer,
            "cancel": self._cancel,
            "end": self._end,
            "status": self._status,
            "stop": self._stop,
        }

    @property
    def in_flight(self) -> int:
        """Requests that are not answered yet."""
        return len(self._running)

    async def serve(self) -> None:
        """Until the client leaves, or breaks the rules; then what it asked for is cancelled."""
        reader, self._writer = await asyncio.open_connection(sock=self._socket)
        self._writing = asyncio.Lock()
        try:
            with suppress(OSError, TimeoutError):
                await self._serve(reader)
        finally:
            self._left = True
            self._host.approvers.leave(self)
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)
            for owner in self._owner.ending():
                self._host.services.end_owner(owner)
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader) -> None:
        lines = Lines(MOST_BYTES_BEFORE)
        by = asyncio.get_running_loop().time() + _HANDSHAKE_S
        while True:
            async with asyncio.timeout_at(None if self._proved else by):
                chunk = await reader.read(_CHUNK)
            if not chunk:
                return
            for line in lines.feed(chunk):
                if not await self._take(line):
                    return
                if self._proved:
                    lines.most = MOST_BYTES

    async def _take(self, line: bytes | TooLong) -> bool:
        """One line; False when the connection is to be closed."""
        id_: int | str | None = None
        try:
            if isinstance(line, TooLong):
                id_ = early_id(line.beginning) if self._proved else None
                raise DaemonError(
                    f"a request has at most {MOST_BYTES} bytes; write long input to a file",
                    "too_large",
                )
            request = read_line(line)
            id_ = _id(request)
            if not self._proved:
                return await self._greet(id_, request)
            self._start(id_, request)
        except DaemonError as error:
            await self._refuse(id_, error.code, str(error))
            return self._proved
        return True

    async def _greet(self, id_: int | str, request: Json) -> bool:
        """Hello and prove, in that order. False when the client is not let in."""
        if request.get("op") == "hello" and self._nonces is None:
            self._hello(request)
            nonce = os.urandom(16).hex()
            self._nonces = f"{request['nonce']} {nonce}"
            pid = os.getpid()
            await self._send(
                {
                    "id": id_,
                    "ok": {
                        "protocol": PROTOCOL,
                        "version": self._version,
                        "pid": pid,
                        "nonce": nonce,
                        "proof": proof(self._host.token, "daemon", self._nonces, pid),
                    },
                }
            )
            return True
        given = request.get("proof")
        expected = (
            None
            if self._nonces is None
            else proof(self._host.token, "client", self._nonces, os.getpid())
        )
        if (
            request.get("op") != "prove"
            or expected is None
            or not isinstance(given, str)
            or not given.isascii()
            or not hmac.compare_digest(given.encode(), expected.encode())
        ):
            raise DaemonError(
                "say hello first, then prove that you can read the token", "not_trusted"
            )
        if version_key(self._client_version) > version_key(self._version):
            # It lets go of the socket before the client hears of it.
            self._host.drain(f"a client of version {self._client_version} has come")
            raise DaemonError(f"version {self._version} makes way for yours", "replaced")
        self._proved = True
        await self._send({"id": id_, "ok": {}})
        return True

    def _hello(self, request: Json) -> None:
        nonce, version = request.get("nonce"), request.get("version")
        if not isinstance(nonce, str) or not isinstance(version, str) or not nonce:
            raise DaemonError("hello has protocol, version and nonce", "bad_request")
        if not nonce.isascii():
            raise DaemonError("nonce is a text of ASCII characters", "bad_request")
        self._client_version = version
        newer = version_key(version) > version_key(self._version)
        if request.get("protocol") != PROTOCOL and not newer:
            raise DaemonError(
                f"the daemon is version {self._version} and speaks protocol {PROTOCOL}; stop it "
                f"with `agent-exec daemon --stop`, or update the client ({version})",
                "bad_request",
            )

    def _start(self, id_: int | str, request: Json) -> None:
        run = self._ops.get(str(request.get("op")))
        if run is None:
            raise DaemonError(f"there is no op {request.get('op')!r:.100}", "bad_request")
        if id_ in self._tasks:
            raise DaemonError(
                f"request {id_!r} is not answered yet; give each its id", "bad_request"
            )
        if len(self._tasks) >= MOST_REQUESTS:
            raise DaemonError(f"{MOST_REQUESTS} requests are unanswered; wait", "busy")
        task = asyncio.get_running_loop().create_task(self._run(id_, request, run))
        self._tasks[id_] = task
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(
        self, id_: int | str, request: Json, run: Callable[[Json], Awaitable[Json]]
    ) -> None:
        try:
            message = {"ok": await self._answered(id_, request, run)}
        except DaemonError as error:
            message = _refusal(error.code, str(error))
        except AgentExecError as error:
            message = _refusal(type(error).__name__, str(error))
        except asyncio.CancelledError:
            message = _refusal("cancelled", "the request was cancelled")
        except OSError as error:
            message = _refusal("failed", f"{type(error).__name__}: {error}")
        except Exception as error:
            traceback.print_exc()
            message = _refusal("failed", f"a mistake of the daemon: {error!r}")
        # Before it is answered: then the client may use the id again.
        del self._tasks[id_]
        with suppress(OSError):
            await self._send({"id": id_, **message})

    async def _answered(
        self, id_: int | str, request: Json, run: Callable[[Json], Awaitable[Json]]
    ) -> Json:
        if self._host.draining and request["op"] in ("call", "decide", "answer"):
            raise DaemonError("the daemon is about to end; connect again", "draining")
        if request.get("live") is True:
            with Live() as live:
                self._lives[id_] = live
                try:
                    return await self._with_heartbeat(id_, run(request), live)
                finally:
                    del self._lives[id_]
        if request.get("progress") is True:
            return await self._with_heartbeat(id_, run(request), None)
        return await run(request)

    async def _with_heartbeat(
        self, id_: int | str, answer: Awaitable[Json], live: Live | None
    ) -> Json:
        task = asyncio.ensure_future(answer)
        began = told = time.monotonic()
        period = HEARTBEAT_S if live is None else LIVE_S
        try:
            while not (await asyncio.wait([task], timeout=period))[0]:
                now = time.monotonic()
                new = {} if live is None else live.read()
                # A client that does not read holds up this, and not the call.
                if new or now - told >= HEARTBEAT_S:
                    told = now
                    progress = {"elapsed_s": round(now - began, 3), **new}
                    await self._send({"id": id_, "progress": progress})
        except BaseException:
            task.cancel()
            await asyncio.wait([task])
            raise
        return task.result()

    async def _call(self, request: Json) -> Json:
        arguments, name = request.get("arguments"), request.get("name", "exec")
        if not isinstance(arguments, dict) or not isinstance(name, str):
            raise InvalidCall("call has arguments, an object, and perhaps the name of the tool")
        owner = self._owner.named_by(request)
        async with self._service(request) as service:
            approvers = self._host.approvers
            asked = approvers.ask if approvers.is_anybody_there(request["worktree"]) else None
            return await service.call(
                arguments,
                name=name,
                owner=owner,
                approver=asked,
                live=self._lives.get(request["id"]),
            )

    async def _check(self, request: Json) -> Json:
        call = request.get("call")
        if not isinstance(call, dict):
            raise InvalidCall("check has call, an object")
        try:
            executor = Executor(request.get("executor", Executor.OURS))
        except ValueError:
            raise InvalidCall("executor is ours or host") from None
        async with self._service(request) as service:
            return await service.check(call, executor=executor)

    async def _judge(self, request: Json) -> Json:
        command = HostCommand.from_json(request)
        async with self._service(request) as service:
            return await service.judge(command)

    async def _decide(self, request: Json) -> Json:
        arguments = request.get("arguments")
        if not isinstance(arguments, dict):
            raise InvalidCall("decide has arguments, an object")
        async with self._service(request) as service:
            return await service.decide(arguments)

    async def _approver(self, request: Json) -> Json:
        given = request.get("worktree")
        worktree = None if given is None else real_worktree(given)
        if not self._peer.may_approve:
            raise DaemonError(
                f"pid {self._peer.pid} cannot be told from a process that a call has left "
                "behind, so it cannot approve calls; start it from a shell or a program that "
                "ran before the daemon did",
                "not_trusted",
            )
        asked = request.get("asked", True) is not False
        self._host.approvers.register(self, worktree, self._ask if asked else None)
        return {}

    async def _ask(self, question: Json) -> None:
        await self._send({"op": "question", "question": question})

    async def _answer(self, request: Json) -> Json:
        if not self._host.approvers.is_registered(self):
            raise DaemonError(
                "only a connection that registered as approver answers", "not_trusted"
            )
        try:
            answer = Answer.from_json(request["answer"])
            if "decision" not in request:
                id_ = str(request["question"])
                return {"taken": self._host.approvers.answer(self, id_, answer)}
            decision = Decision.from_json(request["decision"])
        except (KeyError, TypeError, ValueError) as error:
            raise InvalidCall(f"no answer that could be understood: {error!r}") from None
        owner = self._owner.named_by(request)
        async with self._service(request) as service:
            live = self._lives.get(request["id"])
            return await service.run_decided(decision, answer, owner=owner, live=live)

    async def _cancel(self, request: Json) -> Json:
        id_ = request.get("request", "")
        if not isinstance(id_, int | str):
            raise InvalidCall("cancel has request, the id of the one that is to end")
        task = self._tasks.get(id_)
        if task is None or task is asyncio.current_task():
            return {"cancelled": False}
        task.cancel()
        await asyncio.wait([task])
        return {"cancelled": True}

    async def _end(self, request: Json) -> Json:
        owner = self._owner.named_by(request)
        self._host.services.end_owner(owner)
        self._owner.forget(owner)
        return {}

    async def _status(self, _request: Json) -> Json:
        return self._host.status()

    async def _stop(self, _request: Json) -> Json:
        self._host.drain("a client said so")
        return {}

    def _service(self, request: Json) -> AbstractAsyncContextManager[Service]:
        return self._host.services.use(request.get("worktree"), request.get("policy", "default"))

    async def _refuse(self, id_: int | str | None, code: str, message: str) -> None:
        await self._send({"id": id_, **_refusal(code, message)})

    async def _send(self, message: Json) -> None:
        if self._left:
            return
        line = as_line(message)
        async with self._writing:
            self._writer.write(line)
            try:
                async with asyncio.timeout(_WRITE_S):
                    await self._writer.drain()
            except TimeoutError:
                # It does not read; what waits for it would fill the memory.
                self._writer.transport.abort()
                raise ConnectionAbortedError("the client does not read") from None


def _refusal(code: str, message: str) -> Json:
    return {"error": {"code": code, "message": message}}


def _id(request: Json) -> int | str:
    id_ = request.get("id")
    if isinstance(id_, bool) or not isinstance(id_, int | str) or len(str(id_)) > 64:
        raise DaemonError("a request has an id: a number or a short text", "bad_request")
    return id_
