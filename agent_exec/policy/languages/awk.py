"""awk programs: what they run, read and write.

Understood: the tokens of POSIX awk as gawk, mawk and the one true awk all read them; what they
read differently (a slash after a closing parenthesis, in brackets) is unknown. No expression is
evaluated: only a file that stands there as one string is known by name, and only print and
printf write. Source: the gawk manual, 5.2; POSIX.1-2017, awk, Lexical Conventions.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent_exec.model.effect import Effect, EffectKind
from agent_exec.policy.languages.awk_tokens import Form, Token, TokenError, tokens_of
from agent_exec.policy.meaning import Meaning, on, unknown

_CONTINUES = frozenset({",", "{", "&&", "||", "?", ":", "do", "else"})
_ENDS_FILE = frozenset({";", "\n", "}", ")", None})
# Change which files are read, name functions by strings, or reach what others define.
_UNKNOWN_NAMES = frozenset({"SYMTAB", "FUNCTAB"})
_RUNS = frozenset({"system", "|", "|&", "@"})


def awk(text: str) -> Meaning:
    """What a program does beyond its input and its output."""
    try:
        tokens = tokens_of(text)
    except TokenError as reason:
        return unknown(f"an awk program: {reason}")
    return Meaning(tuple(_Program(tokens).effects()))


class _Program:
    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._effects: list[Effect] = []

    def effects(self) -> list[Effect]:
        prints_at: int | None = None  # how deep in parentheses the print is
        depth = 0
        before: str | None = None
        for at, token in enumerate(self._tokens):
            text = token.text
            if token.form is Form.STRING:
                if text.startswith("/inet"):
                    self._do(EffectKind.NETWORK, None, text)
            elif text in _RUNS:
                self._do(EffectKind.EXECUTE, None, f"{text} in an awk program runs a program")
            elif text in _UNKNOWN_NAMES:
                self._do(EffectKind.UNKNOWN, None, text)
            elif text == "ARGV":
                self._do(EffectKind.READ, None, "ARGV says which files are read")
            elif text == "getline":
                self._getline(at)
            elif text in ("print", "printf"):
                prints_at = depth
            elif text == "(":
                depth += 1
            elif text == ")":
                depth -= 1
            elif text in (";", "}") or (text == "\n" and before not in _CONTINUES):
                prints_at = None
            elif text in (">", ">>", ">=") and prints_at is not None and depth <= prints_at:
                self._output(at)
            if text != "\n":
                before = text
        return self._effects

    def _output(self, at: int) -> None:
        self._do(EffectKind.WRITE, self._file(at), "print into a file")

    def _getline(self, at: int) -> None:
        """``getline [variable] < file``; without a file it reads the input."""
        at += 1
        if self._text(at) == "$":
            self._do(EffectKind.READ, None, "getline from a file")
            return
        if self._form(at) is Form.NAME:
            at += 1
            if self._text(at) == "[":
                self._do(EffectKind.READ, None, "getline from a file")
                return
        if self._text(at) == "<" and self._form(at) is Form.SIGN:
            self._do(EffectKind.READ, self._file(at), "getline from a file")

    def _file(self, at: int) -> str | None:
        """The file after a sign; None when it is more than one plain string."""
        ends = self._form(at + 2) in (None, Form.SIGN) and self._text(at + 2) in _ENDS_FILE
        if self._form(at + 1) is not Form.STRING or not ends:
            return None
        name = self._text(at + 1)
        if name is None or "\\" in name or not name:
            return None
        return "./-" if name == "-" else name

    def _text(self, at: int) -> str | None:
        return self._tokens[at].text if at < len(self._tokens) else None

    def _form(self, at: int) -> Form | None:
        return self._tokens[at].form if at < len(self._tokens) else None

    def _do(self, kind: EffectKind, path: str | None, because: str) -> None:
        self._effects += on(kind, path, because)
