"""A part of a stream as text, as it would read within the whole: no character, no control
sequence and no secret is shown in halves.
"""

from __future__ import annotations

from agent_exec.named_tuple import NamedTuple
from agent_exec.schema.harmless import begun
from agent_exec.schema.redact import REDACTED, Redactor

_CONTINUATION = range(0x80, 0xC0)
_LONGEST_CHARACTER = 4


class Window(NamedTuple):
    """What is shown of a stream. Places are indices of bytes."""

    text: str
    begin: int
    """Of the first byte that is shown."""
    end: int
    """Behind the last one; the next window goes on there."""


def window(data: bytes, begin: int, end: int, *, goes_on: bool, redact: Redactor) -> Window:
    """The text of ``data[begin:end]``.

    Args:
        data: That, with what is known of the stream before and behind it.
        begin: Moved on, where a character begins before it.
        end: Moved back, where a character or control sequence goes on behind it, and where a
            secret may, unless nothing at all would be left.
        goes_on: More may follow `data`; then its end is shown only as far as it is sure.
        redact: Takes secrets out.
    """
    begin = _after_character(data, begin, end)
    end = _whole_end(data, begin, end, goes_on=goes_on, redact=redact)
    before, shown, after = map(_decoded, (data[:begin], data[begin:end], data[end:]))
    whole = before + shown + after
    spans = redact.spans(whole)
    if not goes_on and (cut := redact.begun(whole)):
        spans.append((len(whole) - cut, len(whole)))
    text = _without(whole, spans, len(before), len(before) + len(shown))
    return Window(_encoded(text).decode("utf-8", "replace"), begin, end)


def _decoded(data: bytes) -> str:
    """Bytes that are no UTF-8 become lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _after_character(data: bytes, begin: int, end: int) -> int:
    """Behind the character that `begin` is within."""
    lead = _begin_of_character(data, begin)
    return begin if lead == begin else min(lead + _length(data[lead]), end)


def _whole_end(data: bytes, begin: int, end: int, *, goes_on: bool, redact: Redactor) -> int:
    edge = len(data)
    if goes_on:
        # What may be the beginning of a secret, and of a character, is not shown yet.
        edge = _before_character(data, begin, edge)
        text = _decoded(data[:edge])
        edge -= len(_encoded(text[len(text) - redact.begun(text) :]))
        if end >= edge:
            return _before_sequence(data, begin, max(begin, edge))
    elif end == edge:
        return end
    whole = _before_sequence(data, begin, _before_character(data, begin, end))
    if whole > begin:
        return whole
    # More than was asked for: a sequence in parts, but at least a character.
    lead = _begin_of_character(data, end)
    behind = end if lead == end else lead + _length(data[lead])
    return behind if behind <= edge else begin if goes_on else edge


def _before_character(data: bytes, begin: int, end: int) -> int:
    """Before the one that `end` is within."""
    lead = _begin_of_character(data, end)
    return max(begin, lead) if lead < end < lead + _length(data[lead]) else end


def _before_sequence(data: bytes, begin: int, end: int) -> int:
    """Before the control sequence that `end` is within."""
    text = _decoded(data[begin:end])
    return begin + len(_encoded(text[: len(text) - begun(text)]))


def _begin_of_character(data: bytes, place: int) -> int:
    """Where the character begins that `place` is within or right behind; else `place`."""
    for lead in range(place - 1, max(-1, place - _LONGEST_CHARACTER), -1):
        if data[lead] not in _CONTINUATION:
            return lead if _length(data[lead]) > place - lead else place
    return place


def _length(lead: int) -> int:
    """Of the character that begins with the byte `lead`."""
    if lead < 0xC2 or lead > 0xF4:
        return 1
    return 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4


def _without(text: str, spans: list[tuple[int, int]], begin: int, end: int) -> str:
    """``text[begin:end]`` without what overlaps with `spans`."""
    parts, place = [], begin
    for first, last in spans:
        if last <= begin or first >= end:
            continue
        parts += [text[place : max(first, place)], REDACTED]
        place = min(last, end)
    parts.append(text[place:end])
    return "".join(parts)
