"""Answers to messages that are none, which would leave a client waiting for ever."""

from __future__ import annotations

import json
from types import TracebackType
from typing import Any, Protocol, Self

import anyio
from mcp import types
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

_NOTIFICATIONS = "notifications/"
_NO_ID = "%s is a request: send it with an id, which is a string or a whole number"
_LONGEST_METHOD = 100


class _Reads(Protocol):
    async def receive(self) -> SessionMessage | Exception: ...
    async def aclose(self) -> None: ...


class _Writes(Protocol):
    async def send(self, item: SessionMessage, /) -> None: ...


class AnswersMistakes:
    """A stream of messages without those that could not be read: they are answered.

    Args:
        reads: What the client sends; what could not be read is an exception.
        writes: Where answers go.
    """

    def __init__(self, reads: _Reads, writes: _Writes) -> None:
        self._reads = reads
        self._writes = writes

    @property
    def last_context(self) -> Any:  # noqa: ANN401 - whatever the transport keeps
        """Of the message that was received last."""
        return getattr(self._reads, "last_context", None)

    async def receive(self) -> SessionMessage | Exception:
        """The next message that is one."""
        while True:
            item = await self._reads.receive()
            if isinstance(item, ValidationError):
                if _is_blank(item):
                    continue
                answer = types.JSONRPCError(jsonrpc="2.0", id=_id_of(item), error=_error_of(item))
            elif (method := _asked_without_id(item)) is not None:
                error = types.ErrorData(code=types.INVALID_REQUEST, message=_NO_ID % method)
                answer = types.JSONRPCError(jsonrpc="2.0", id=None, error=error)
            else:
                return item
            await self._writes.send(SessionMessage(answer))

    async def aclose(self) -> None:
        await self._reads.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()


def _asked_without_id(item: SessionMessage | Exception) -> str | None:
    """The method of a request that lost its id: one that is no string or whole number is read
    as none at all, and then the request as a notification.
    """
    message = item.message if isinstance(item, SessionMessage) else None
    if not isinstance(message, types.JSONRPCNotification):
        return None
    return None if message.method.startswith(_NOTIFICATIONS) else message.method[:_LONGEST_METHOD]


def _is_blank(mistake: ValidationError) -> bool:
    (first, *_) = mistake.errors(include_url=False, include_context=False)
    return isinstance(first["input"], str) and not first["input"].strip()


def _error_of(mistake: ValidationError) -> types.ErrorData:
    (first, *_) = mistake.errors(include_url=False, include_context=False)
    if first["type"] == "json_invalid":
        return types.ErrorData(code=types.PARSE_ERROR, message=f"no message: {first['msg']}")
    return types.ErrorData(
        code=types.INVALID_REQUEST, message="no message: send one JSON-RPC 2.0 object in a line"
    )


def _id_of(mistake: ValidationError) -> str | int | None:
    """Of the request that it was meant to be; None where that cannot be told."""
    for each in mistake.errors(include_url=False, include_context=False):
        found = each["input"]
        if each["type"] == "json_invalid":
            try:
                # It takes what pydantic does not: half of a character that needs two.
                found = json.loads(found)
            except (ValueError, RecursionError):
                return None
        if isinstance(found, dict) and "method" in found:
            id_ = found.get("id")
            return id_ if isinstance(id_, str | int) and not isinstance(id_, bool) else None
    return None
