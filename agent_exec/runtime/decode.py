"""Captured bytes as text."""

from __future__ import annotations

import codecs

from agent_exec.model.outcome import Captured
from agent_exec.named_tuple import NamedTuple

_CONTINUATION = range(0x80, 0xC0)
_MOST_CONTINUATIONS = 3


class Text(NamedTuple):
    """`head`, then `dropped` bytes that were not kept, then `tail`.

    Where nothing was dropped, `head` is everything and `tail` is empty.
    """

    head: str
    tail: str
    dropped: int


def decode(captured: Captured) -> Text:
    """Decode UTF-8; each byte sequence that is none becomes U+FFFD. Never raises.

    A character that the limit cut in two is not shown as two broken ones: its bytes, at
    most three on either side, count as dropped.
    """
    if captured.dropped == 0:
        whole = captured.head + captured.tail
        return Text(whole.decode("utf-8", "replace"), "", 0)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    head = decoder.decode(captured.head)
    begun, _ = decoder.getstate()
    rest = _leading_continuations(captured.tail)
    return Text(
        head=head,
        tail=captured.tail[rest:].decode("utf-8", "replace"),
        dropped=captured.dropped + len(begun) + rest,
    )


def _leading_continuations(tail: bytes) -> int:
    count = 0
    while count < min(len(tail), _MOST_CONTINUATIONS) and tail[count] in _CONTINUATION:
        count += 1
    return count
