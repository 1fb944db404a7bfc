"""A word of a text that only bash runs, without its quotes: as near as it can be said."""

from __future__ import annotations

import re
from collections.abc import Mapping

from agent_exec.model.script import Kind, Word
from agent_exec.regex import regex
from agent_exec.shell.ansi import decode_ansi
from agent_exec.shell.braces import expand_braces, may_expand
from agent_exec.shell.expand import Scope
from agent_exec.shell.lexer import Lexer, TokenKind
from agent_exec.shell.needs_bash import NeedsBash

_QUOTED = regex(r"""'([^']*)'|\$'((?:[^'\\]|\\.)*)'|\$?"((?:[^"\\]|\\.)*)"|\\(.)""", re.DOTALL)
_ESCAPED = regex(r'\\([$`"\\\n])')


def dequoted(raw: str, scope: Scope, known: Mapping[str, str | None]) -> list[str]:
    """The words that `raw` stands for, of which there is at least one.

    Variables have the values in `known`, else those of `scope`; one of unknown value, and
    what only bash expands, stands as it is written.
    """
    try:
        word = _read(raw)
        words = expand_braces(word, 0) if may_expand(word) else [word]
    except NeedsBash:
        return [_QUOTED.sub(_content, raw)]
    return [_expanded(word, scope, known) for word in words] or [""]


def _read(raw: str) -> Word:
    lexer = Lexer(raw)
    token = lexer.next()
    if token.kind is not TokenKind.WORD or lexer.next().kind is not TokenKind.END:
        raise NeedsBash("more than a word", 0)
    return token.word


def _expanded(word: Word, scope: Scope, known: Mapping[str, str | None]) -> str:
    text = ""
    for kind, piece in word.pieces:
        if kind is Kind.HOME:
            text += scope.home or "~"
        elif kind is Kind.VARIABLE or kind is Kind.QUOTED_VARIABLE:
            value = known[piece] if piece in known else scope.variables.get(piece)
            text += f"${piece}" if value is None else value
        else:
            text += piece
    return text


def _content(quoted: re.Match[str]) -> str:
    single, ansi, double, escaped = quoted.groups()
    if single is not None:
        return str(single)
    if double is not None:
        return _ESCAPED.sub(r"\1", double)
    if ansi is not None:
        try:
            return decode_ansi(quoted.group(), 2)[0]
        except NeedsBash:
            return str(ansi)
    return "" if escaped == "\n" else str(escaped)
