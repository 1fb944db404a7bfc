"""Parts of a stream, put together again, are the whole: nothing is shown in halves."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_exec.schema.harmless import begun, harmless
from agent_exec.schema.redact import REDACTED, Redactor
from agent_exec.schema.window import window

SECRET = "hünter2-hunter2-hünter2"
PLAIN = Redactor((), ())
REDACT = Redactor([r"(?i)bearer [a-z0-9._-]+"], [SECRET])
TEXTS = st.lists(
    st.sampled_from(["a", "\n", "é", "日", "🎉", "\x1b[31m", "\x1b]0;t\x07", "\r\n", "x" * 9]),
    max_size=30,
).map("".join)


def read_all(written: list[bytes], redact: Redactor, most: int) -> list[str]:
    """What a reader gets that reads after every write, and to the end."""
    parts, at, data = [], 0, b""
    for number, chunk in enumerate([*written, b""]):
        data += chunk
        goes_on = number < len(written)
        while True:
            end = min(len(data), at + most)
            seen = window(data, at, end, goes_on=goes_on, redact=redact)
            assert at <= seen.begin <= seen.end <= len(data)
            if seen.end == at:
                break
            parts.append(seen.text)
            at = seen.end
    assert at == len(data)
    return parts


def cut(data: bytes, places: list[int]) -> list[bytes]:
    at = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(at)]


@given(TEXTS, st.lists(st.integers(0, 200), max_size=6), st.integers(1, 40))
def test_characters_are_never_split(text: str, places: list[int], most: int) -> None:
    parts = read_all(cut(text.encode(), places), PLAIN, most)
    assert "".join(parts) == text


@given(TEXTS, st.lists(st.integers(0, 200), max_size=6))
def test_control_sequences_are_never_split(text: str, places: list[int]) -> None:
    parts = read_all(cut(text.encode(), places), PLAIN, 1 << 20)
    assert "\x1b" not in "".join(harmless(part) for part in parts)
    assert "\\x" not in "".join(harmless(part) for part in parts)


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=4), st.integers(1, 20))
def test_bytes_that_are_no_text_come_through_somehow(
    data: bytes, places: list[int], most: int
) -> None:
    parts = read_all(cut(data, places), PLAIN, most)
    assert all(not "\udc80" <= char <= "\udcff" for part in parts for char in part)


@given(TEXTS, TEXTS, st.lists(st.integers(0, 300), max_size=6), st.integers(30, 200))
def test_a_secret_that_was_written_or_read_in_parts_is_not_shown(
    before: str, after: str, places: list[int], most: int
) -> None:
    data = f"{before}{SECRET}{after}".encode()
    shown = "".join(read_all(cut(data, places), REDACT, most))
    # Five characters of its beginning may have been there before it could be told.
    assert not any(SECRET[n : n + 6] in shown for n in range(len(SECRET) - 5))
    assert REDACTED in shown


@pytest.mark.parametrize("at", range(len("Bearer abc.def") + 1))
def test_what_a_pattern_matches_is_not_shown_by_reading_its_end_alone(at: int) -> None:
    data = b"Authorization: Bearer abc.def\n"
    place = len("Authorization: ") + at
    first = window(data[:place], 0, place, goes_on=True, redact=REDACT)
    rest = window(data, first.end, len(data), goes_on=True, redact=REDACT)
    assert "abc.def" not in first.text + rest.text
    assert "def" not in rest.text


def test_the_beginning_of_a_secret_at_the_very_end_is_taken_out() -> None:
    data = f"key {SECRET[:12]}".encode()
    held = window(data, 0, len(data), goes_on=True, redact=REDACT)
    assert (held.text, held.end) == ("key ", 4)
    ended = window(data, 4, len(data), goes_on=False, redact=REDACT)
    assert (ended.text, ended.end) == (REDACTED, len(data))


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("a", 0),
        ("\x1b[0m", 0),
        ("a\x1b", 1),
        ("a\x1b[", 2),
        ("a\x1b[3", 3),
        ("a\x1b]0;title", 9),
        ("a\x1b]0;title\x1b", 10),
        ("a\x1b]0;title\x1b\\", 0),
        ("a\r", 1),
        ("a\r\n", 0),
        ("\x1b]" + "x" * 9000, 0),
    ],
)
def test_sequences_that_have_only_begun(text: str, count: int) -> None:
    assert begun(text) == count


@pytest.mark.parametrize(
    ("data", "begin", "shown"),
    [
        ("é日".encode(), 1, "日"),
        ("é日".encode(), 3, ""),
        ("é日".encode(), 2, "日"),
        (b"\x80\x80a", 1, "\ufffda"),
    ],
)
def test_an_offset_within_a_character(data: bytes, begin: int, shown: str) -> None:
    seen = window(data, begin, len(data), goes_on=False, redact=PLAIN)
    assert seen.text == shown
