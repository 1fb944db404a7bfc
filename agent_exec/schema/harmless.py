"""Text of programs that nothing obeys: no terminal, and no reader that sees other text."""

from __future__ import annotations

import re

from agent_exec.regex import regex

# ECMA-48: control sequences, and strings up to their end (OSC, DCS and so on; also BEL).
_SEQUENCE = regex(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]|\x9b[0-?]*[ -/]*[@-~]"
)
# The beginning of one, at the end of a text that goes on.
_BEGUN = regex(r"(?:\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b\x9c]{0,4096}\x1b?|[ -/]*)?|\r)\Z")
_LONGEST_BEGUN = 4100
_SAMPLE = 4096
_UNSAFE = regex(
    # C0 but tab and newline, DEL, C1; marks of direction; what is not seen and hides words.
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e0fff\ud800-\udfff]"
)
# What no text has many of: C0 and C1 but for what moves or colours, and bytes that are no UTF-8.
_STRANGE = regex("[\x00-\x07\x0b\x0e-\x1a\x1c-\x1f\x7f-\x9f\ufffd]")
_PLAIN_ASCII = bytes([*b"\t\n", *range(0x20, 0x7F)])
# Letters and marks that are not seen: fillers, joiners, variation selectors.
_BLANK = regex(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0000-\U000e0fff]"
)


def harmless(text: str) -> str:
    """What a terminal would have shown of `text`, in characters that only stand for themselves.

    Colours and the like are left out, lines that were overwritten (progress bars) too;
    other control characters, marks of direction and invisible ones are shown as escapes.
    """
    if _is_plain_ascii(text):
        return text
    if "\x1b" in text or "\x9b" in text:
        text = _SEQUENCE.sub("", text)
    text = text.replace("\r\n", "\n")
    if "\r" in text:
        text = "\n".join([_last_shown(line) for line in text.split("\n")])
    return _UNSAFE.sub(_escape, text)


def _is_plain_ascii(text: str) -> bool:
    """Only letters and the like, tabs and newlines: a twentieth of what a regular expression takes,
    of outputs that are most of the time nothing else.
    """
    return text.isascii() and not text.encode("ascii").translate(None, _PLAIN_ASCII)


def begun(text: str) -> int:
    """How many characters at the end of `text` are the beginning of a control sequence."""
    found = _BEGUN.search(text[-_LONGEST_BEGUN:])
    return 0 if found is None else len(found[0])


def one_line(text: str) -> str:
    """The same for a word in a message: no newline, no tab."""
    return harmless(text.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r"))


def escaped(text: str) -> str:
    """All of `text` in one line, for who decides on it: nothing is left out or invisible.

    Unlike `one_line`, which shows what a terminal would have shown. Blanks are spaces only.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join([char if _is_plain(char) else _escape_char(char) for char in text])


def _is_plain(char: str) -> bool:
    return char.isprintable() and _BLANK.match(char) is None


def _escape_char(char: str) -> str:
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(char) or _escape_code(ord(char))


def _last_shown(line: str) -> str:
    return line.rstrip("\r").rpartition("\r")[2]


def _escape(found: re.Match[str]) -> str:
    return _escape_code(ord(found[0]))


def _escape_code(code: int) -> str:
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def looks_binary(text: str) -> bool:
    """Is this no text, though it was decoded as such?"""
    sample = text[:_SAMPLE]
    if _is_plain_ascii(sample):
        return False
    return "\0" in sample or len(_STRANGE.findall(sample)) * 10 > len(sample)
