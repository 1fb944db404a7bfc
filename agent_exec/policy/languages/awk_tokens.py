"""The tokens of an awk program, where every awk sees the same ones."""

from __future__ import annotations

from enum import StrEnum

from agent_exec.named_tuple import NamedTuple
from agent_exec.regex import regex

_NAME = regex(r"[A-Za-z_][A-Za-z0-9_]*")
_NUMBER = regex(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|0[xX][0-9A-Fa-f]+")
_SIGNS = regex(r"\*\*=?|>>|\|[&|]|&&|\+\+|--|[-=<>!+*%^]=|!~")
_SIGN = "{}()[];,+-*%^!<>|?:~$=@&\n"
_BEFORE_OPERAND = frozenset(
    {
        *("print", "printf", "return", "exit", "in", "else", "do", "delete", "case", "default"),
        *("BEGIN", "END", "next", "nextfile", "continue", "break", "if", "while", "for", "switch"),
    }
)
_FUNCTIONS = frozenset(
    {
        *("length", "getline", "close", "system", "sub", "gsub", "index", "match", "split"),
        *("sprintf", "substr", "tolower", "toupper", "rand", "srand", "sin", "cos", "atan2"),
        *("exp", "log", "sqrt", "int", "fflush", "function", "func"),
    }
)


class Form(StrEnum):
    """Of a token."""

    NAME = "name"
    NUMBER = "number"
    STRING = "string"
    """`Token.text` is what stands between the quotes, escapes kept."""
    REGEX = "regex"
    SIGN = "sign"


class Token(NamedTuple):
    """One token."""

    form: Form
    text: str


class TokenError(Exception):
    """Not what every awk would read alike; says why."""


def tokens_of(text: str) -> list[Token]:
    """All tokens of a program, newlines among them; comments are left out.

    Raises:
        TokenError: It ends within a token, or some awk may see others.
    """
    tokens: list[Token] = []
    parentheses = _Parentheses()
    at = 0
    while at < len(text):
        char = text[at]
        if char in " \t\r":
            at += 1
        elif text.startswith("\\\n", at) or text.startswith("\\\r\n", at):
            at = text.index("\n", at) + 1
        elif char == "#":
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
        elif char == '"':
            end = _end_of_string(text, at)
            tokens.append(Token(Form.STRING, text[at + 1 : end - 1]))
            at = end
        elif char == "/" and _is_regex(tokens, parentheses):
            end = _end_of_regex(text, at)
            tokens.append(Token(Form.REGEX, text[at:end]))
            at = end
        else:
            token = _plain(text, at)
            parentheses.see(token.text, tokens[-1].text if tokens else "")
            tokens.append(token)
            at += len(token.text)
    return tokens


class _Parentheses:
    """Which of them belong to an if, a while, a for or a switch."""

    def __init__(self) -> None:
        self._open: list[bool] = []
        self.closed_condition = False
        """Of the last one that closed."""

    def see(self, text: str, before: str) -> None:
        if text == "(":
            self._open.append(before in ("if", "while", "for", "switch"))
        elif text == ")":
            self.closed_condition = self._open.pop() if self._open else True


def _plain(text: str, at: int) -> Token:
    name = _NAME.match(text, at)
    if name:
        return Token(Form.NAME, name.group())
    number = _NUMBER.match(text, at)
    if number:
        return Token(Form.NUMBER, number.group())
    if text.startswith("/=", at):
        return Token(Form.SIGN, "/=")
    sign = _SIGNS.match(text, at)
    if sign:
        return Token(Form.SIGN, sign.group())
    if text[at] in _SIGN or text[at] == "/":
        return Token(Form.SIGN, text[at])
    raise TokenError(f"{text[at]!r} begins no token")


def _is_regex(tokens: list[Token], parentheses: _Parentheses) -> bool:
    """Does a slash begin a regular expression here, rather than divide?

    Raises:
        TokenError: The awks do not agree.
    """
    if not tokens:
        return True
    form, text = tokens[-1]
    if form in (Form.NUMBER, Form.STRING) or text == "]":
        return False
    if form is Form.NAME:
        if text in _FUNCTIONS:
            raise TokenError(f"a slash after {text}")
        return text in _BEFORE_OPERAND
    if form is Form.REGEX or text in ("++", "--", "$"):
        raise TokenError(f"a slash after {text}")
    if text == ")":
        if parentheses.closed_condition:
            raise TokenError("a slash after a condition")
        return False
    return True


def _end_of_string(text: str, at: int) -> int:
    at += 1
    while at < len(text) and text[at] != "\n":
        if text[at] == '"':
            return at + 1
        at += 2 if text[at] == "\\" else 1
    raise TokenError("a string without its end")


def _end_of_regex(text: str, at: int) -> int:
    """After the slash; gawk takes one in brackets for a sign, the one true awk for the end."""
    at += 1
    bracket: int | None = None
    while at < len(text) and text[at] != "\n":
        char = text[at]
        if char == "\\":
            at += 2
            continue
        if char == "/":
            if bracket is not None:
                raise TokenError("a slash in brackets")
            return at + 1
        if bracket is None:
            if char == "[":
                bracket = at + (2 if text.startswith("[^", at) else 1)
        elif char == "[" and text[at + 1 : at + 2] in (":", ".", "="):
            end = text.find(f"{text[at + 1]}]", at + 2)
            if end < 0 or "/" in text[at:end] or "\n" in text[at:end]:
                raise TokenError("brackets without their end")
            at = end + 1
        elif char == "]" and at > bracket:
            bracket = None
        at += 1
    raise TokenError("a regular expression without its end")
