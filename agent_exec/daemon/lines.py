"""Bytes as they come -> lines of bounded length."""

from __future__ import annotations

from collections.abc import Iterator

from agent_exec.named_tuple import NamedTuple

_BEGINNING = 256


class TooLong(NamedTuple):
    """A line that was let go by, unread."""

    beginning: bytes
    """Its first bytes."""


class Lines:
    """Splits what is fed to it. A line that is too long is let go by."""

    def __init__(self, most: int) -> None:
        self.most = most
        """Bytes of one line; may be changed at any time."""
        self._line = bytearray()
        self._beginning: bytes | None = None

    def feed(self, chunk: bytes) -> Iterator[bytes | TooLong]:
        """The lines that end in `chunk`, without their ends."""
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            self._add(part)
            yield self._take()
        self._add(rest)

    def _add(self, part: bytes) -> None:
        if self._beginning is not None:
            return
        self._line += part
        if len(self._line) > self.most:
            self._beginning = bytes(self._line[:_BEGINNING])
            self._line = bytearray()

    def _take(self) -> bytes | TooLong:
        line, beginning = bytes(self._line), self._beginning
        self._line, self._beginning = bytearray(), None
        return line if beginning is None else TooLong(beginning)
