"""Whose background sessions the requests of one connection are about."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from agent_exec.errors import InvalidCall


class Owner:
    """The owners that one connection speaks for.

    A request names an ``owner`` that outlives the connection, or a ``part`` of the connection:
    one session of a host that keeps it open, and whose end ends them all. Without either it is
    about the connection itself.
    """

    def __init__(self, number: int) -> None:
        # Nobody else can name it.
        self._own = f"connection {number} {os.urandom(8).hex()}"
        self._parts: set[str] = set()

    def named_by(self, request: Mapping[str, Any]) -> str:
        """Whose sessions `request` is about.

        Raises:
            InvalidCall: It names both, or what is no text.
        """
        if "part" in request:
            part = request["part"]
            if not isinstance(part, str) or "owner" in request:
                raise InvalidCall("part is a text, and stands without owner")
            owner = f"{self._own} {part}"
            self._parts.add(owner)
            return owner
        owner = request.get("owner", self._own)
        if not isinstance(owner, str):
            raise InvalidCall("owner is a text")
        return owner

    def forget(self, owner: str) -> None:
        """The sessions of `owner` were ended."""
        self._parts.discard(owner)

    def ending(self) -> tuple[str, ...]:
        """Who ends with the connection."""
        return (self._own, *self._parts)
