"""echo and printf."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from agent_exec.regex import regex
from agent_exec.shell.builtins.state import Done, Places, ShellState

_ECHO_OPTION = regex(r"-[neE]+")
_ECHO_ESCAPE = regex(rb"\\(?:([abeEfnrtv\\])|0([0-7]{0,3})|x([0-9A-Fa-f]{1,2})|(c))")
_FORMAT_ESCAPE = regex(rb"\\(?:([abefnrtv\\'\"?])|([0-7]{1,3})|x([0-9A-Fa-f]{1,2}))")
_LETTERS = {
    b"a": b"\a",
    b"b": b"\b",
    b"e": b"\x1b",
    b"E": b"\x1b",
    b"f": b"\f",
    b"n": b"\n",
    b"r": b"\r",
    b"t": b"\t",
    b"v": b"\v",
}
_CONVERSION = regex(rb"%(?:(%)|([-+ 0#]*)([0-9]*)(?:\.([0-9]*))?([sdiuxXoc]))")


def echo(words: Sequence[str], state: ShellState, _places: Places) -> Done:
    """``echo [-neE] WORD ...``."""
    newline, escapes, begin = True, False, 0
    for word in words:
        if not _ECHO_OPTION.fullmatch(word):
            break
        begin += 1
        for letter in word[1:]:
            if letter == "n":
                newline = False
            else:
                escapes = letter == "e"
    text = b" ".join([os.fsencode(word) for word in words[begin:]])
    if escapes:
        text, stopped = _echo_unescaped(text)
        newline = newline and not stopped
    return Done(state, 0, text + b"\n" if newline else text)


def _echo_unescaped(text: bytes) -> tuple[bytes, bool]:
    """With escapes made what they mean; and whether ``\\c`` ended it."""
    made: list[bytes] = []
    at = 0
    for found in _ECHO_ESCAPE.finditer(text):
        made.append(text[at : found.start()])
        at = found.end()
        if found.group(4):
            return b"".join(made), True
        made.append(_escaped(found))
    made.append(text[at:])
    return b"".join(made), False


def _escaped(found: re.Match[bytes]) -> bytes:
    letter, octal, hexadecimal = found.group(1), found.group(2), found.group(3)
    if letter is not None:
        return _LETTERS.get(letter, letter)
    number = int(octal or b"0", 8) if octal is not None else int(hexadecimal, 16)
    return bytes([number & 0xFF])


def printf(words: Sequence[str], state: ShellState, _places: Places) -> Done:
    """``printf FORMAT WORD ...``: the format is used again while words are left."""
    if words[:1] == ["--"]:
        words = words[1:]
    form = os.fsencode(words[0])
    left = [os.fsencode(word) for word in words[1:]]
    made: list[bytes] = []
    while True:
        before = len(left)
        made.append(_formatted(form, left))
        if not left or len(left) == before:
            return Done(state, 0, b"".join(made))


def _formatted(form: bytes, left: list[bytes]) -> bytes:
    """One use of the format; takes its words from `left`."""
    made: list[bytes] = []
    at = 0
    while at < len(form):
        conversion = _CONVERSION.match(form, at)
        escape = None if conversion else _FORMAT_ESCAPE.match(form, at)
        if conversion:
            made.append(_converted(conversion, left))
            at = conversion.end()
        elif escape:
            made.append(_escaped(escape))
            at = escape.end()
        else:
            made.append(form[at : at + 1])
            at += 1
    return b"".join(made)


def _converted(conversion: re.Match[bytes], left: list[bytes]) -> bytes:
    percent, flags, width, precision, letter = conversion.groups()
    if percent:
        return b"%"
    value = left.pop(0) if left else b""
    if letter == b"c":
        text = value[:1]
    elif letter == b"s":
        text = value if precision is None else value[: int(precision or b"0")]
    else:
        number = int(value or b"0")
        kind = "d" if letter in b"diu" else letter.decode()
        shape = "".join(flag for flag in flags.decode() if flag in "+ #")
        if "#" in shape and (kind == "o" or number == 0):
            shape = shape.replace("#", "")
            prefix = "0" if kind == "o" and number else ""
        else:
            prefix = ""
        text = (prefix + f"%{shape}{kind}" % number).encode()
        if kind == "X" and "#" in shape:
            text = text.replace(b"0x", b"0X")
    size = int(width or b"0")
    if b"-" in flags:
        return text.ljust(size)
    if b"0" in flags and letter not in b"sc":
        sign = text[:1] if text[:1] in (b"+", b"-", b" ") else b""
        head = sign or (text[:2] if text[:2] in (b"0x", b"0X") else b"")
        return head + text[len(head) :].rjust(size - len(head), b"0")
    return text.rjust(size)
