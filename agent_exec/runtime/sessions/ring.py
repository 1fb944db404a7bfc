"""The newest bytes of a stream, in bounded memory, by their offset from its start."""

from __future__ import annotations

_SPARE = 8192


class Ring:
    """Keeps the last `most` bytes, and some before these: what a secret is recognised by.

    Args:
        most: Bytes that can be read, at least 0.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._kept = bytearray()
        self._base = 0

    @property
    def end(self) -> int:
        """How many bytes were fed."""
        return self._base + len(self._kept)

    @property
    def first(self) -> int:
        """The offset of the first byte that can be read."""
        return max(0, self.end - self.most)

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes of the stream."""
        self._kept += chunk
        # Moving what is kept costs time, so it is done once per so many bytes.
        if len(self._kept) > 2 * self.most + 2 * _SPARE:
            excess = len(self._kept) - self.most - _SPARE
            del self._kept[:excess]
            self._base += excess

    def around(self, start: int, stop: int) -> tuple[bytes, int]:
        """The bytes from `start` to `stop`, with what is known of both sides; and where they begin.

        Args:
            start: An offset from `first` on.
            stop: Another, up to `end`.
        """
        begin = max(self._base, start - _SPARE)
        return bytes(self._kept[begin - self._base : stop + _SPARE - self._base]), begin
