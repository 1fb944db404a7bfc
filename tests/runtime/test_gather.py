"""Outputs of several commands are kept as one: head, count, tail."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent_exec.model.outcome import Captured
from agent_exec.runtime.gather import Gathered


def captured(data: bytes, head: int, tail: int) -> Captured:
    """What an engine would have kept of `data`."""
    if len(data) <= head + tail:
        return Captured(data[:head], data[head:])
    return Captured(data[:head], data[len(data) - tail :] if tail else b"", len(data) - head - tail)


@given(
    st.lists(st.tuples(st.binary(max_size=30), st.booleans()), max_size=8),
    st.integers(0, 12),
    st.integers(0, 12),
)
def test_the_same_as_one_output(parts: list[tuple[bytes, bool]], head: int, tail: int) -> None:
    gathered = Gathered(head, tail)
    for data, by_program in parts:
        if by_program:
            gathered.add(captured(data, head, tail))
        else:
            gathered.write(data)
    whole = b"".join(data for data, _ in parts)
    made = gathered.captured()
    assert len(made.head) + made.dropped + len(made.tail) == len(whole)
    assert whole.startswith(made.head)
    assert whole.endswith(made.tail)
    assert len(made.head) <= head
    assert len(made.tail) <= tail
    if len(whole) <= head + tail:
        assert made.dropped == 0
    else:
        assert (len(made.head), len(made.tail)) == (head, tail)
