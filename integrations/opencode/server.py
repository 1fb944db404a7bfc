"""A running opencode server: its events by the SDK, its questions by the documented HTTP API.

The SDK is older than the questions: it knows neither their list nor the reply to one.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any, Self

import httpx
from opencode_ai import APIConnectionError, APIError, Opencode

from agent_exec import AgentExecError
from agent_exec.integrations.opencode.question import Pending

_TIMEOUT_S = 30.0
"""For an answer. Between two events the server sends a sign of life each ten seconds."""
_USER = "opencode"


class ServerError(AgentExecError):
    """It is not there, or does not answer as opencode does."""


class OpencodeServer:
    """One server. Closed by leaving the block.

    Args:
        url: Such as ``http://127.0.0.1:4096``.
        password: That of ``OPENCODE_SERVER_PASSWORD``, if it has one.
        directory: Of the project that is meant, where it serves several.
    """

    def __init__(self, url: str, *, password: str | None = None, directory: str) -> None:
        headers = {"x-opencode-directory": directory}
        if password:
            word = base64.b64encode(f"{_USER}:{password}".encode()).decode()
            headers["Authorization"] = f"Basic {word}"
        self._url = url
        self._http = httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT_S)
        self._sdk = Opencode(
            base_url=url, default_headers=headers, max_retries=0, timeout=_TIMEOUT_S
        )

    def events(self) -> Iterator[str]:
        """The types of what happens, from now on, until the server closes the stream.

        Raises:
            ServerError: It is not there.
        """
        try:
            with self._sdk.event.list() as events:
                for event in events:
                    # The SDK takes what it does not know for something else; its type is right.
                    yield str(event.type)
        except APIConnectionError as error:
            raise ServerError(f"no opencode server answers at {self._url}: {error}") from None
        except (APIError, httpx.HTTPError) as error:
            raise ServerError(f"{self._url}: {error}") from None

    def pending(self) -> list[Pending]:
        """The questions that wait.

        Raises:
            ServerError: It has no such list.
        """
        return [_pending(each) for each in self._asked("GET", "/permission")]

    def tool_input(self, question: Pending) -> Mapping[str, Any]:
        """What the waiting tool was called with; empty where that is not known."""
        path = f"/session/{question.session}/message/{question.message}"
        for part in self._asked("GET", path)["parts"] if question.message else ():
            if part.get("callID") == question.call:
                found = part.get("state", {}).get("input")
                return found if isinstance(found, dict) else {}
        return {}

    def reply(self, question: Pending, reply: str, message: str | None = None) -> None:
        """Answer ``once`` or ``reject``, with a message for the model."""
        body = {"reply": reply} | ({} if message is None else {"message": message})
        self._asked("POST", f"/permission/{question.id}/reply", body)

    def close(self) -> None:
        """Leave. Idempotent."""
        self._http.close()
        self._sdk.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _asked(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        try:
            answer = self._http.request(method, path, json=body)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise ServerError(f"{self._url}{path}: {error}") from None
        # What it does not know is answered with the page of its user interface, and 200.
        if not answer.headers.get("content-type", "").startswith("application/json"):
            raise ServerError(f"{self._url}{path} is no part of this server's API")
        return answer.json()


def _pending(shown: Mapping[str, Any]) -> Pending:
    tool = shown.get("tool") or {}
    return Pending(
        id=shown["id"],
        session=shown["sessionID"],
        permission=shown["permission"],
        metadata=shown.get("metadata") or {},
        message=tool.get("messageID"),
        call=tool.get("callID"),
    )
