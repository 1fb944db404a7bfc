"""What is known of a background session at one moment."""

from __future__ import annotations

from agent_exec.named_tuple import NamedTuple


class SessionState(NamedTuple):
    """Of one session. Offsets count the bytes of its output from the start."""

    handle: str
    running: bool
    offset: int = 0
    """Of the first byte that was read."""
    next_offset: int = 0
    """Where the next read goes on."""
    dropped: int = 0
    """Bytes before `offset` that were asked for and are not shown: gone, or too many."""
    size: int = 0
    """Bytes that it has written so far."""

    def to_json(self) -> dict[str, object]:
        """As part of a result."""
        return dict(self._asdict())
