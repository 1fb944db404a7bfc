"""``$'...'``: text in which backslashes are decoded, as ANSI C has them."""

from __future__ import annotations

import re

from agent_exec.regex import regex
from agent_exec.shell.needs_bash import NeedsBash

_LETTERS = {
    "a": "\a",
    "b": "\b",
    "e": "\x1b",
    "E": "\x1b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
    "?": "?",
}
_BODY = regex(r"(?:[^'\\]|\\.)*", re.DOTALL)
_ESCAPE = regex(
    r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|(.))", re.DOTALL
)


def decode_ansi(text: str, start: int) -> tuple[str, int]:
    """The value of what begins behind ``$'``, and the offset behind its closing quote.

    Raises:
        NeedsBash: No end; or a value that depends on the locale, or is cut at a NUL.
    """
    body = _BODY.match(text, start)
    assert body is not None
    if not text.startswith("'", body.end()):
        raise NeedsBash("an unfinished quote", start - 2)

    def decoded(escape: re.Match[str]) -> str:
        octal, *hexadecimal, letter = escape.groups()
        if letter is not None:
            if letter in "cxuU":
                raise NeedsBash("an odd escape in $'...'", start)
            return _LETTERS.get(letter, escape.group())
        digits = next((number for number in hexadecimal if number), None)
        code = int(digits, 16) if digits else int(octal, 8)
        if not 0 < code < 0x80:
            raise NeedsBash("a NUL, or a character that depends on the locale, in $'...'", start)
        return chr(code)

    return _ESCAPE.sub(decoded, body.group()), body.end() + 1
