"""A question of opencode's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class Pending(NamedTuple):
    """A question that waits for its reply."""

    id: str
    session: str
    permission: str
    """Such as ``bash`` or ``exec``."""
    metadata: Mapping[str, Any]
    message: str | None
    call: str | None
    """Of the tool call that waits, and the message that it is part of."""
