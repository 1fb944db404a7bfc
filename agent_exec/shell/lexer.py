"""Shell text to tokens, as bash reads them with ``-c``.

One pass, left to right, without backtracking. What is not understood to the letter is
refused: see `NeedsBash`.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from agent_exec.model.script import Kind, Operator, Piece, Word
from agent_exec.shell.needs_bash import NeedsBash


class TokenKind(Enum):
    """Of a token."""

    WORD = "word"
    REDIRECTION = "redirection"
    JOINT = "joint"
    """``&&``, ``||``, ``;``, ``|``, ``|&``, ``!`` is a word."""
    NEWLINE = "newline"
    END = "end"


class Token(NamedTuple):
    """One token. `word` is there for WORD, `fd` and `operator` for REDIRECTION."""

    kind: TokenKind
    offset: int
    line: int
    text: str = ""
    word: Word = Word(())
    fd: int = 0
    operator: Operator = Operator.READ


# Everything else up to these stands for itself in an unquoted word.
_ORDINARY = re.compile(r"[^ \t\n|&;()<>\\'\"$`]+")
_IN_DOUBLE_QUOTES = re.compile(r"[^\"\\$`]+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BRACED_NAME = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_BLANKS = re.compile(r"(?:[ \t]|\\\n)+")
_CONTINUATIONS = re.compile(r"(?:\\\n)+")
_COMMENT = re.compile(r"[^\n]*")
# bash takes carriage returns and the like for parts of words; people and models do not.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")

_REDIRECTIONS = (
    "&>>",
    "&>",
    "<<<",
    "<<-",
    "<<",
    "<&",
    "<>",
    "<",
    ">>",
    ">&",
    ">|",
    ">",
)
_JOINTS = ("&&", "||", "|&", "|", ";")
_META = frozenset(" \t\n|&;()<>")
_SPECIAL_PARAMETERS = frozenset("0123456789@*#$!-")


class Lexer:
    """Tokens of one text.

    Raises:
        NeedsBash: From the constructor and every method.
    """

    def __init__(self, text: str) -> None:
        found = _CONTROL.search(text)
        if found:
            raise NeedsBash("a control character or invalid text", found.start())
        self._text = text
        self._at = 0
        self._line = 1
        self._counted = 0

    def next(self) -> Token:
        """The next token. END again and again at the end."""
        text = self._text
        self._skip_blanks()
        at = self._at
        if at == len(text):
            return self._token(TokenKind.END, at)
        char = text[at]
        if char == "\n":
            self._at += 1
            return self._token(TokenKind.NEWLINE, at)
        if char in _META:
            return self._operator(at)
        return self._word_or_number(at)

    def delimiter(self) -> tuple[str, bool]:
        """The word after ``<<``, and whether any of it is quoted."""
        self._skip_blanks()
        at = self._at
        word = self._word()
        if not word.pieces:
            raise NeedsBash("a here-document without a delimiter", at)
        kinds = {piece.kind for piece in word.pieces}
        if not kinds <= {Kind.PLAIN, Kind.QUOTED}:
            raise NeedsBash("an expansion in the delimiter of a here-document", at)
        text = "".join(piece.text for piece in word.pieces)
        if "\n" in text or "$" in text:
            raise NeedsBash("an odd delimiter of a here-document", at)
        return text, Kind.QUOTED in kinds

    def body(self, delimiter: str, *, quoted: bool, strip_tabs: bool) -> str:
        """The lines up to `delimiter`; we stand at the start of the first."""
        start = self._at
        lines: list[str] = []
        while self._at < len(self._text):
            end = self._text.find("\n", self._at)
            line = self._text[self._at :] if end < 0 else self._text[self._at : end]
            self._at = len(self._text) if end < 0 else end + 1
            if strip_tabs:
                line = line.lstrip("\t")
            if line == delimiter:
                body = "".join(lines)
                if not quoted and re.search(r"[$`\\]", body):
                    raise NeedsBash("an expansion in a here-document", start)
                return body
            lines.append(line + "\n")
        raise NeedsBash("a here-document without its end", start)

    def _token(self, kind: TokenKind, offset: int, text: str = "") -> Token:
        return Token(kind, offset, self._line_at(offset), text)

    def _line_at(self, offset: int) -> int:
        self._line += self._text.count("\n", self._counted, offset)
        self._counted = offset
        return self._line

    def _skip_blanks(self) -> None:
        text = self._text
        blanks = _BLANKS.match(text, self._at)
        if blanks:
            self._at = blanks.end()
        # Only where a token could begin: a#b is a word.
        if text.startswith("#", self._at):
            comment = _COMMENT.match(text, self._at)
            assert comment is not None
            self._at = comment.end()

    def _operator(self, at: int) -> Token:
        text = self._text
        for symbol in _REDIRECTIONS:
            if text.startswith(symbol, at):
                self._at = at + len(symbol)
                self._no_split_operator(at)
                fd = 0 if symbol[0] == "<" else 1
                return self._redirection(at, symbol, fd)
        for symbol in _JOINTS:
            if text.startswith(symbol, at):
                self._at = at + len(symbol)
                self._no_split_operator(at)
                if symbol == ";" and text.startswith((";", "&"), self._at):
                    raise NeedsBash("a case statement, or a syntax error", at)
                return self._token(TokenKind.JOINT, at, symbol)
        if text[at] == "&":
            raise NeedsBash("a background job", at)
        raise NeedsBash("a subshell, a function or an array", at)

    def _no_split_operator(self, at: int) -> None:
        """``&\\<newline>&`` is ``&&``: the continuation goes first."""
        continuation = _CONTINUATIONS.match(self._text, self._at)
        if continuation and self._text.startswith(("|", "&", ";", "<", ">"), continuation.end()):
            raise NeedsBash("an operator over two lines", at)

    def _redirection(self, at: int, symbol: str, fd: int) -> Token:
        operator = Operator.HERE_DOCUMENT if symbol == "<<-" else Operator(symbol)
        token = self._token(TokenKind.REDIRECTION, at, symbol)
        return token._replace(fd=fd, operator=operator)

    def _word_or_number(self, at: int) -> Token:
        token = self._token(TokenKind.WORD, at)
        word = self._word()
        after = self._text[self._at : self._at + 1]
        if after in ("<", ">") and after:
            plain = word.pieces[0].text if len(word.pieces) == 1 else ""
            if word.pieces[0].kind is Kind.PLAIN and plain.isascii() and plain.isdigit():
                return self._numbered(at, plain)
            if word.pieces[0].kind is Kind.PLAIN and word.pieces[0].text.startswith("{"):
                raise NeedsBash("a descriptor in a variable", at)
        return token._replace(word=word)

    def _numbered(self, at: int, digits: str) -> Token:
        if digits not in ("0", "1", "2"):
            raise NeedsBash("a descriptor above 2", at)
        for symbol in _REDIRECTIONS:
            if self._text.startswith(symbol, self._at):
                self._at += len(symbol)
                self._no_split_operator(at)
                return self._redirection(at, symbol, int(digits))
        raise AssertionError("called at < or >")

    def _word(self) -> Word:
        text, start = self._text, self._at
        pieces: list[Piece] = []
        while self._at < len(text):
            at = self._at
            ordinary = _ORDINARY.match(text, at)
            if ordinary:
                self._at = ordinary.end()
                _add(pieces, Kind.PLAIN, ordinary.group())
                continue
            char = text[at]
            if char in _META:
                break
            if char == "\\":
                self._escape(pieces)
            elif char == "'":
                self._single_quotes(pieces)
            elif char == '"':
                self._double_quotes(pieces)
            elif char == "$":
                self._dollar(pieces, quoted=False)
            else:
                raise NeedsBash("a command substitution", at)
        return _with_home(_without_braces(pieces, start), start)

    def _escape(self, pieces: list[Piece]) -> None:
        char = self._text[self._at + 1 : self._at + 2]
        if not char:
            raise NeedsBash("a backslash at the end", self._at)
        self._at += 2
        if char != "\n":
            _add(pieces, Kind.QUOTED, char)

    def _single_quotes(self, pieces: list[Piece]) -> None:
        end = self._text.find("'", self._at + 1)
        if end < 0:
            raise NeedsBash("an unfinished quote", self._at)
        _add(pieces, Kind.QUOTED, self._text[self._at + 1 : end])
        self._at = end + 1

    def _double_quotes(self, pieces: list[Piece]) -> None:
        text, start = self._text, self._at
        self._at += 1
        _add(pieces, Kind.QUOTED, "")
        while True:
            run = _IN_DOUBLE_QUOTES.match(text, self._at)
            if run:
                self._at = run.end()
                _add(pieces, Kind.QUOTED, run.group())
            char = text[self._at : self._at + 1]
            if char == '"':
                self._at += 1
                return
            if char == "$":
                self._dollar(pieces, quoted=True)
            elif char == "\\":
                after = text[self._at + 1 : self._at + 2]
                self._at += 2
                if after in ("$", "`", '"', "\\") and after:
                    _add(pieces, Kind.QUOTED, after)
                elif after != "\n":
                    _add(pieces, Kind.QUOTED, char + after)
            elif char == "`":
                raise NeedsBash("a command substitution", self._at)
            else:
                raise NeedsBash("an unfinished quote", start)

    def _dollar(self, pieces: list[Piece], *, quoted: bool) -> None:
        text, at = self._text, self._at
        after = text[at + 1 : at + 2]
        name = _NAME.match(text, at + 1) or _BRACED_NAME.match(text, at + 1)
        if name:
            self._at = name.end()
            variable = name.group(1) if name.re is _BRACED_NAME else name.group()
            if text.startswith("\\\n", self._at) and name.re is _NAME:
                raise NeedsBash("a variable's name over two lines", at)
            _add(pieces, Kind.QUOTED_VARIABLE if quoted else Kind.VARIABLE, variable)
        elif after == "?":
            self._at += 2
            # A number: quotes make no difference.
            _add(pieces, Kind.QUOTED_VARIABLE, "?")
        elif after == "(":
            raise NeedsBash("a command substitution or arithmetic", at)
        elif after in ("{", "["):
            raise NeedsBash("a parameter expansion or arithmetic", at)
        elif after in _SPECIAL_PARAMETERS and after:
            raise NeedsBash("a special parameter", at)
        elif after in ("'", '"') and after and not quoted:
            raise NeedsBash("$'...' or $\"...\"", at)
        elif text.startswith("\\\n", at + 1):
            raise NeedsBash("a variable's name over two lines", at)
        else:
            self._at += 1
            _add(pieces, Kind.QUOTED, "$")


def _add(pieces: list[Piece], kind: Kind, text: str) -> None:
    """Append; text joins text of its kind, so that no rule depends on how it was read."""
    if pieces and pieces[-1].kind is kind and kind in (Kind.PLAIN, Kind.QUOTED):
        pieces[-1] = Piece(kind, pieces[-1].text + text)
    else:
        pieces.append(Piece(kind, text))


def _without_braces(pieces: list[Piece], offset: int) -> list[Piece]:
    if any(kind is Kind.PLAIN and "{" in text for kind, text in pieces):
        # A comma or two dots between braces. Quoted ones do not count to bash; to us they do.
        seen = "".join(text for _, text in pieces)
        within = seen[seen.find("{") : seen.rfind("}") + 1]
        if "," in within or ".." in within:
            raise NeedsBash("a brace expansion", offset)
    return pieces


def _with_home(pieces: list[Piece], offset: int) -> Word:
    """Find the tildes that bash expands: at the start, and after the = of NAME=."""
    if not any(kind is Kind.PLAIN and "~" in text for kind, text in pieces):
        return Word(tuple(pieces))
    first = pieces[0]
    if first.kind is not Kind.PLAIN:
        return Word(tuple(pieces))
    assignment = _ASSIGNMENT.match(first.text)
    begin = assignment.end() if assignment else 0
    if assignment and any(kind is Kind.PLAIN and ":~" in text for kind, text in pieces):
        raise NeedsBash("a tilde after a colon", offset)
    rest = first.text[begin:]
    if not rest.startswith("~"):
        return Word(tuple(pieces))
    prefix, slash, _ = rest[1:].partition("/")
    if prefix or (not slash and len(pieces) > 1):
        raise NeedsBash("a tilde that is not the home directory", offset)
    before = [Piece(Kind.PLAIN, first.text[:begin])] if begin else []
    after = [Piece(Kind.PLAIN, rest[1:])] if rest[1:] else []
    return Word((*before, Piece(Kind.HOME, "~"), *after, *pieces[1:]))
