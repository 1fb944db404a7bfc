"""A configuration file of git to its keys.

Source: git-config(1), "CONFIGURATION FILE", "Syntax".
"""

from __future__ import annotations

import re

from agent_exec.regex import regex

_SECTION = regex(r"\[[ \t]*([A-Za-z0-9.-]+)(?:[ \t]+\"((?:[^\"\\\n]|\\.)*)\"[ \t]*|[ \t]*)\]")
_NAME = regex(r"([A-Za-z][A-Za-z0-9-]*)[ \t]*(=?)")
_BLANK = " \t\r\n"
_ESCAPES = {"n": "\n", "t": "\t", "b": "\b", '"': '"', "\\": "\\"}
MOST_BYTES = 1024 * 1024
"""Of one file; a larger one is not read."""


def read_config(text: str) -> tuple[tuple[str, str], ...] | None:
    """(key, value) of everything that is set, in order; None where git would find an error.

    None, too, where a value has an unquoted blank that is no space: it stays what it is since
    git 2.45 and is a space before.

    A key is ``section.name`` or ``section.sub-section.name``, section and name in lower case.
    The value of one that stands there without a value is empty. A text with NUL is none: git
    cuts names off there.
    """
    if "\0" in text:
        return None
    found: list[tuple[str, str]] = []
    section: str | None = None
    at = 0
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    while at < len(text):
        char = text[at]
        if char in _BLANK:
            at += 1
        elif char in "#;":
            at = _end_of_line(text, at)
        elif char == "[":
            header = _SECTION.match(text, at)
            if header is None:
                return None
            name, sub = header.groups()
            section = name.lower()
            if sub is not None:
                section += "." + re.sub(r"\\(.)", r"\1", sub)
            at = header.end()
        else:
            named = _NAME.match(text, at)
            if named is None or section is None:
                return None
            at = named.end()
            value = ""
            if named.group(2):
                read = _value(text, at)
                if read is None:
                    return None
                value, at = read
            elif _rest_is_not_blank(text, at):
                return None
            found.append((f"{section}.{named.group(1).lower()}", value))
    return tuple(found)


def _end_of_line(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _rest_is_not_blank(text: str, at: int) -> bool:
    rest = text[at : _end_of_line(text, at)].strip(" \t")
    return bool(rest) and rest[0] not in "#;"


def _value(text: str, at: int) -> tuple[str, int] | None:
    """The value from `at` on, and where it ends."""
    made: list[str] = []
    quoted = False
    kept = 0  # what is not blank at the end
    odd = len(text)  # where the first blank is that is no space
    while at < len(text):
        char = text[at]
        at += 1
        if char == "\n":
            if quoted:
                return None
            break
        if char == "\\":
            after = text[at : at + 1]
            at += 1
            if after == "\n":
                continue
            if after not in _ESCAPES or not after:
                return None
            made.append(_ESCAPES[after])
            kept = len(made)
        elif char == '"':
            quoted = not quoted
        elif char in "#;" and not quoted:
            at = _end_of_line(text, at)
        elif char in _BLANK and not quoted:
            if made:
                odd = odd if char == " " else min(odd, len(made))
                made.append(char)
        else:
            made.append(char)
            kept = len(made)
    return None if quoted or odd < kept else ("".join(made[:kept]), at)
