"""One output of a text, of which several commands write parts, one after the other."""

from __future__ import annotations

import errno
import os

from agent_exec.model.outcome import Captured
from agent_exec.model.plan import Spill
from agent_exec.runtime.capture import HeadTail


class Gathered:
    """The head and the tail of all parts together.

    Args:
        head_bytes: See `HeadTail`; also `tail_bytes`.
    """

    def __init__(self, head_bytes: int, tail_bytes: int) -> None:
        self._limits = (head_bytes, tail_bytes)
        self._only: Captured | None = None
        self._parts: HeadTail | None = None
        self._gap = 0
        self._spilled = 0
        self._spill_errno = 0

    @property
    def spilled(self) -> int:
        """Bytes that went to the file so far."""
        return self._spilled

    def add(self, captured: Captured) -> None:
        """The next part, as an engine captured it within the same limits."""
        self._spilled += captured.spilled
        self._spill_errno = self._spill_errno or captured.spill_errno
        if self._only is None and self._parts is None:
            self._only = captured
            return
        parts = self._all()
        self._feed(parts, captured)

    def write(self, data: bytes) -> None:
        """The next part, from ourselves."""
        if data:
            self._all().feed(data)

    def copy_out(self, spill: Spill, data: bytes) -> None:
        """Write our part to the file, too, as far as its cap goes."""
        rest = memoryview(data)[: max(0, spill.cap - self._spilled)]
        while rest and not self._spill_errno:
            try:
                written = os.write(spill.fd, rest)
            except OSError as error:
                self._spill_errno = error.errno or errno.EIO
                return
            self._spilled += written
            rest = rest[written:]

    def captured(self) -> Captured:
        """All parts together."""
        if self._parts is None:
            return self._only or Captured()
        made = self._parts.captured()
        return Captured(
            made.head, made.tail, made.dropped + self._gap, self._spilled, self._spill_errno
        )

    def _all(self) -> HeadTail:
        if self._parts is None:
            self._parts = HeadTail(*self._limits)
            if self._only is not None:
                self._feed(self._parts, self._only)
                self._only = None
        return self._parts

    def _feed(self, parts: HeadTail, captured: Captured) -> None:
        parts.feed(captured.head)
        if captured.dropped:
            # Nothing from before the gap may stand in a tail that goes to the end.
            self._gap += captured.dropped
            parts.drop_tail()
        parts.feed(captured.tail)
