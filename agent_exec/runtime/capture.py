"""Keep the first and the last bytes of a stream, count the rest, and copy it out whole."""

from __future__ import annotations

import errno
import os

from agent_exec.model.outcome import Captured
from agent_exec.model.plan import Spill


class HeadTail:
    """The head and the tail of everything that was fed, in bounded memory.

    Args:
        head_bytes: First bytes to keep, at least 0.
        tail_bytes: Last bytes to keep of what follows the head, at least 0.
        spill: Where the whole stream is copied to, up to its cap. The descriptor is
            borrowed, and may block.
    """

    def __init__(self, head_bytes: int, tail_bytes: int, spill: Spill | None = None) -> None:
        self._head_bytes = head_bytes
        self._tail_bytes = tail_bytes
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0
        self._spill = spill
        self._spilled = 0
        self._spill_errno = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the stream. Never raises for what the spill file says."""
        self._copy_out(chunk)
        room = self._head_bytes - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        # Moving what is kept costs time, so it is done once per tail, not per chunk.
        if len(self._tail) > 2 * self._tail_bytes:
            self._trim()

    def drop_tail(self) -> None:
        """Count what is in the tail as dropped: what comes next does not follow it."""
        self._dropped += len(self._tail)
        self._tail.clear()

    def captured(self) -> Captured:
        """What was kept so far."""
        self._trim()
        return Captured(
            head=bytes(self._head),
            tail=bytes(self._tail),
            dropped=self._dropped,
            spilled=self._spilled,
            spill_errno=self._spill_errno,
        )

    def _trim(self) -> None:
        excess = max(0, len(self._tail) - self._tail_bytes)
        del self._tail[:excess]
        self._dropped += excess

    def _copy_out(self, chunk: bytes) -> None:
        if self._spill is None or self._spill_errno:
            return
        rest = memoryview(chunk)[: max(0, self._spill.cap - self._spilled)]
        while rest:
            try:
                written = os.write(self._spill.fd, rest)
            except OSError as error:
                self._spill_errno = error.errno or errno.EIO
                return
            self._spilled += written
            rest = rest[written:]
