"""Laws of what is kept of a stream."""

from __future__ import annotations

import os
import tempfile

from hypothesis import given
from hypothesis import strategies as st
from strategies import chunks, limits

from agent_exec.model.plan import Spill
from agent_exec.runtime.capture import HeadTail


@given(chunks=chunks, head=limits, tail=limits)
def test_both_ends_are_kept_and_the_rest_is_counted(
    chunks: list[bytes], head: int, tail: int
) -> None:
    buffer = HeadTail(head, tail)
    for chunk in chunks:
        buffer.feed(chunk)
    kept = buffer.captured()
    stream = b"".join(chunks)

    assert kept.head == stream[:head]
    assert stream.endswith(kept.tail)
    assert len(kept.head) + len(kept.tail) == min(head + tail, len(stream))
    assert len(kept.head) + kept.dropped + len(kept.tail) == len(stream)


@given(before=chunks, after=chunks, head=limits, tail=limits)
def test_looking_does_not_disturb(
    before: list[bytes], after: list[bytes], head: int, tail: int
) -> None:
    watched, unwatched = HeadTail(head, tail), HeadTail(head, tail)
    for buffer in (watched, unwatched):
        for chunk in before:
            buffer.feed(chunk)
        if buffer is watched:
            buffer.captured()
        for chunk in after:
            buffer.feed(chunk)
    assert watched.captured() == unwatched.captured()


@given(chunks=chunks, cap=st.integers(0, 200))
def test_the_file_gets_the_stream_up_to_the_cap(chunks: list[bytes], cap: int) -> None:
    with tempfile.TemporaryFile() as file:
        buffer = HeadTail(0, 0, Spill(fd=file.fileno(), cap=cap))
        for chunk in chunks:
            buffer.feed(chunk)
        written = os.pread(file.fileno(), 4096, 0)
    assert written == b"".join(chunks)[:cap]
    assert buffer.captured().spilled == len(written)


def test_memory_is_bounded_by_what_is_kept() -> None:
    buffer = HeadTail(10, 10)
    for size in (7,) * 500 + (65536,) * 5:
        buffer.feed(b"x" * size)
        assert len(buffer._head) + len(buffer._tail) <= 10 + 2 * 10
