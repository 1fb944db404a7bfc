"""Laws of captured bytes as text."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import limits, texts

from agent_exec.model.outcome import Captured
from agent_exec.runtime.capture import HeadTail
from agent_exec.runtime.decode import Text, decode


def captured(stream: bytes, head: int, tail: int) -> Captured:
    buffer = HeadTail(head, tail)
    buffer.feed(stream)
    return buffer.captured()


@given(stream=st.binary(max_size=200), head=limits, tail=limits)
@example(stream=b"\x80" * 99, head=5, tail=5)
def test_it_never_raises_and_keeps_everything_where_nothing_was_dropped(
    stream: bytes, head: int, tail: int
) -> None:
    kept = captured(stream, head, tail)
    text = decode(kept)
    if kept.dropped == 0:
        assert text == Text(stream.decode("utf-8", "replace"), "", 0)
    assert kept.dropped <= text.dropped <= kept.dropped + 6


@given(text=texts, head=limits, tail=limits)
@example(text="é" * 30, head=5, tail=5)
@example(text="\U0001f600" * 9, head=6, tail=7)
def test_no_character_is_split(text: str, head: int, tail: int) -> None:
    stream = text.encode()
    shown = decode(captured(stream, head, tail))
    assert text.startswith(shown.head)
    assert text.endswith(shown.tail)
    assert len(shown.head.encode()) + shown.dropped + len(shown.tail.encode()) == len(stream)


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        pytest.param(Captured(), Text("", "", 0), id="nothing"),
        pytest.param(Captured(b"ab", b"cd"), Text("abcd", "", 0), id="whole"),
        pytest.param(
            Captured(b"\xe2\x82", b"\xac."), Text("€.", "", 0), id="cut-but-nothing-dropped"
        ),
        pytest.param(
            Captured(b"a\xe2\x82", b"\xac.", 1), Text("a", ".", 4), id="cut-on-both-sides"
        ),
        pytest.param(Captured(b"a\xff", b"b", 1), Text("a\ufffd", "b", 1), id="not-utf8"),
        pytest.param(
            Captured(b"", b"\x80" * 5, 1), Text("", "\ufffd" * 2, 4), id="more-than-one-character"
        ),
        pytest.param(Captured(b"\xc3(", b"z", 1), Text("\ufffd(", "z", 1), id="broken-inside"),
    ],
)
def test_decode(kept: Captured, expected: Text) -> None:
    assert decode(kept) == expected
