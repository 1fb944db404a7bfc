"""Lines out of bytes, however they are cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent_exec.daemon.lines import Lines, TooLong

PIECES = st.lists(st.binary(max_size=12).map(lambda data: data.replace(b"\r", b"\n")))


@given(PIECES)
def test_lines_do_not_depend_on_where_they_are_cut(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    lines = Lines(1000)
    assert [line for piece in pieces for line in lines.feed(piece)] == whole.split(b"\n")[:-1]


@given(PIECES)
def test_what_is_too_long_is_let_go_and_the_next_line_is_whole(pieces: list[bytes]) -> None:
    lines = Lines(5)
    found = [line for piece in pieces for line in lines.feed(piece)]
    for got, line in zip(found, b"".join(pieces).split(b"\n"), strict=False):
        if len(line) <= 5:
            assert got == line
        else:
            assert isinstance(got, TooLong)
            assert line.startswith(got.beginning)
            assert len(got.beginning) > 5
