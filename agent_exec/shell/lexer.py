"""Shell text to tokens, as bash reads them with ``-c``.

One pass, left to right, without backtracking. What is not understood to the letter is
refused: see `NeedsBash`.
"""

from __future__ import annotations

import re
from enum import Enum
from itertools import groupby
from operator import attrgetter

from agent_exec.model.script import Kind, Operator, Piece, Word
from agent_exec.named_tuple import NamedTuple
from agent_exec.regex import regex
from agent_exec.shell.ansi import decode_ansi
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
    """Where bash is when it has read the token, and what it looks at to know its end."""
    text: str = ""
    word: Word = Word(())
    fd: int = 0
    operator: Operator = Operator.READ


# The parts of a word: plain text, '...', "..." in which nothing is expanded, a quoted character.
_PART = regex(r"""([^ \t\n|&;()<>\\'"$`]+)|'([^']*)'|"([^"\\$`]*)"|\\(.)""", re.DOTALL)
# Most words: after blanks, plain text without a tilde, or all of it in quotes, up to what surely
# ends it.
_WHOLE_WORD = re.compile(
    r"""[ \t]*(?:([^ \t\n|&;()<>\\'"$`#~][^ \t\n|&;()<>\\'"$`~]*+)(?![<>\\'"$`~])"""
    r"""|'([^']*)'(?![^ \t\n|&;])|"([^"\\$`]*)"(?![^ \t\n|&;]))"""
)
# Several of these, one after another, in which there are no braces either.
_PLAIN_WORDS = re.compile(
    r"""(?:[ \t]+[^ \t\n|&;()<>\\'"$`#~{][^ \t\n|&;()<>\\'"$`~{]*+(?![<>\\'"$`~{]))+"""
)
_NO_BLANKS = re.compile(r"[^ \t]+")
_PART_IN_DOUBLE_QUOTES = regex(r"""([^"\\$`]+)|\\(.)""", re.DOTALL)
_NAME = regex(r"[A-Za-z_][A-Za-z0-9_]*")
_BRACED_NAME = regex(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_ASSIGNMENT = regex(r"[A-Za-z_][A-Za-z0-9_]*=")
_ODD_ASSIGNMENT = regex(r"[A-Za-z_][A-Za-z0-9_]*(?:\[|\+=)")
_BLANKS = re.compile(r"(?:[ \t]|\\\n)+")
_CONTINUATIONS = re.compile(r"(?:\\\n)+")
_CONTINUED = regex(r"""'[^']*'|"(?:[^"\\]|\\.)*"|\\.""", re.DOTALL)
_COMMENT = regex(r"[^\n]*")
_EXPANDED_IN_HERE_DOCUMENT = regex(r"[$`\\]")
# bash takes carriage returns and the like for parts of words; people and models do not. The
# last ones write text backwards, or begin a line where bash sees none.
_CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)

_OPERATOR = regex(r"&>>?|<<<|<<-?|<[&>]?|>[>&|]?|&&|\|\||\|&|\||;|&|[()]")
_OPERATORS = {operator.value: operator for operator in Operator} | {"<<-": Operator.HERE_DOCUMENT}
_JOINTS = frozenset({"&&", "||", "|&", "|", ";"})
_COULD_BE_LONGER = frozenset({";", "|", "<", ">", "<<", "&>"})
_META = frozenset(" \t\n|&;()<>")
_DIGITS = "0123456789"
_NUMBERS = "?#"
_kind = attrgetter("kind")

# A member of an enumeration takes longer to look up than most of what is done with it.
_WORD, _REDIRECTION, _JOINT, _NEWLINE, _END = TokenKind
_PLAIN, _QUOTED = Kind.PLAIN, Kind.QUOTED
_NO_WORD = Word(())
_VARIABLE, _QUOTED_VARIABLE = Kind.VARIABLE, Kind.QUOTED_VARIABLE


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
        self._lines = "\n" in text
        self._at = 0
        self._line = 1
        self._counted = 0
        self._decoded: list[tuple[int, int, str]] = []
        """The ``$'...'`` of the word: where they begin and end, and their values."""

    def next(self) -> Token:
        """The next token. END again and again at the end."""
        text = self._text
        whole = _WHOLE_WORD.match(text, self._at)
        if whole is not None:
            group = whole.lastindex or 0
            start, self._at = whole.start(group), whole.end()
            kind = _PLAIN
            if group != 1:
                kind, start = _QUOTED, start - 1
            line = self._line_at(self._at) if self._lines else 1
            return Token(_WORD, start, line, "", Word((Piece(kind, whole[group]),)))
        self._skip_blanks()
        at = self._at
        if at == len(text):
            return Token(_END, at, self._line_at(at))
        char = text[at]
        if char == "\n":
            self._at += 1
            return Token(_NEWLINE, at, self._line_at(at))
        if char in _META:
            return self._operator(at)
        return self._word_or_number(at)

    def plain_words(self) -> list[str]:
        """The words that follow up to one that is not just text; none where lines count."""
        if not self._lines:
            found = _PLAIN_WORDS.match(self._text, self._at)
            if found is not None:
                start, self._at = found.span()
                return _NO_BLANKS.findall(self._text, start, self._at)
        return []

    def delimiter(self) -> tuple[str, bool]:
        """The word after ``<<``, and whether any of it is quoted."""
        self._skip_blanks()
        at = self._at
        word = self._word()
        if not word.pieces:
            raise NeedsBash("a here-document without a delimiter", at)
        kinds = {piece.kind for piece in word.pieces}
        if not kinds <= {_PLAIN, _QUOTED}:
            raise NeedsBash("an expansion in the delimiter of a here-document", at)
        text = "".join(piece.text for piece in word.pieces)
        if "\n" in text or "$" in text:
            raise NeedsBash("an odd delimiter of a here-document", at)
        self._decoded.clear()  # a delimiter is shown in another way
        return text, _QUOTED in kinds

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
                if not quoted and _EXPANDED_IN_HERE_DOCUMENT.search(body):
                    raise NeedsBash("an expansion in a here-document", start)
                return body
            lines.append(line + "\n")
        raise NeedsBash("a here-document without its end", start)

    def _line_behind(self, symbol: str) -> int:
        """Of an operator: bash looks at what follows one that could be longer."""
        longer = _CONTINUATIONS.match(self._text, self._at) if symbol in _COULD_BE_LONGER else None
        return self._line_at(longer.end() if longer else self._at)

    @property
    def at_end(self) -> bool:
        """Is nothing left, not even blanks?"""
        return self._at == len(self._text)

    def written(self, offset: int) -> str:
        """What stands between `offset` and here, as bash shows it."""
        shown = []
        at = offset
        for begin, end, value in self._decoded:
            shown += [self._as_is(at, begin), single_quoted(value)]
            at = end
        self._decoded.clear()
        return "".join([*shown, self._as_is(at, self._at)])

    def _as_is(self, begin: int, end: int) -> str:
        text = self._text[begin:end]
        return _CONTINUED.sub(_without_continuations, text) if self._lines else text

    def line_before(self) -> int:
        """The line that has just ended, with its newline."""
        return self._line_at(self._at - 1)

    def _line_at(self, offset: int) -> int:
        if self._lines:
            self._line += self._text.count("\n", self._counted, offset)
            self._counted = offset
        return self._line

    def _skip_blanks(self) -> None:
        text = self._text
        if text.startswith((" ", "\t", "\\"), self._at):
            blanks = _BLANKS.match(text, self._at)
            if blanks:
                self._at = blanks.end()
        # Only where a token could begin: a#b is a word.
        if text.startswith("#", self._at):
            comment = _COMMENT.match(text, self._at)
            assert comment is not None
            self._at = comment.end()

    def _operator(self, at: int) -> Token:
        found = _OPERATOR.match(self._text, at)
        assert found is not None, "called at an operator"
        symbol = found.group()
        operator = _OPERATORS.get(symbol)
        if operator is None and symbol not in _JOINTS:
            if symbol == "&":
                raise NeedsBash("a background job", at)
            raise NeedsBash("a subshell, a function or an array", at)
        self._at = found.end()
        self._no_split_operator(at)
        if operator is not None:
            return self._redirection(at, symbol, 0 if symbol[0] == "<" else 1, operator)
        if symbol == ";" and self._text.startswith((";", "&"), self._at):
            raise NeedsBash("a case statement, or a syntax error", at)
        return Token(_JOINT, at, self._line_behind(symbol), symbol)

    def _no_split_operator(self, at: int) -> None:
        """``&\\<newline>&`` is ``&&``: the continuation goes first."""
        continuation = _CONTINUATIONS.match(self._text, self._at)
        if continuation and self._text.startswith(("|", "&", ";", "<", ">"), continuation.end()):
            raise NeedsBash("an operator over two lines", at)

    def _redirection(self, at: int, symbol: str, fd: int, operator: Operator) -> Token:
        line = self._line_behind(symbol)
        return Token(_REDIRECTION, at, line, symbol, _NO_WORD, fd, operator)

    def _word_or_number(self, at: int) -> Token:
        word = self._word()
        if self._text.startswith(("<", ">"), self._at):
            first = word.pieces[0]
            if first.kind is _PLAIN:
                if len(word.pieces) == 1 and first.text.isascii() and first.text.isdigit():
                    return self._numbered(at, first.text)
                if first.text.startswith("{"):
                    raise NeedsBash("a descriptor in a variable", at)
        return Token(_WORD, at, self._line_at(self._at), "", word)

    def _numbered(self, at: int, digits: str) -> Token:
        if digits not in ("0", "1", "2"):
            raise NeedsBash("a descriptor above 2", at)
        found = _OPERATOR.match(self._text, self._at)
        assert found is not None, "called at < or >"
        symbol = found.group()
        self._at = found.end()
        self._no_split_operator(at)
        return self._redirection(at, symbol, int(digits), _OPERATORS[symbol])

    def _word(self) -> Word:
        text, start = self._text, self._at
        pieces: list[Piece] = []
        while self._at < len(text):
            part = _PART.match(text, self._at)
            if part is None:
                if text[self._at] in _META:
                    break
                self._special(pieces)
                continue
            self._at = part.end()
            index = part.lastindex
            if index == 1:
                pieces.append(Piece(_PLAIN, part.group()))
            elif index != 4 or part.group(4) != "\n":
                pieces.append(Piece(_QUOTED, part.group(index or 0)))
        return _with_home(_joined(pieces), start)

    def _special(self, pieces: list[Piece]) -> None:
        """What `_PART` has not taken: something is expanded here, or not finished."""
        at = self._at
        match self._text[at]:
            case "$":
                self._dollar(pieces, quoted=False)
            case '"':
                self._double_quotes(pieces)
            case "`":
                raise NeedsBash("a command substitution", at)
            case "\\":
                raise NeedsBash("a backslash at the end", at)
            case _:
                raise NeedsBash("an unfinished quote", at)

    def _double_quotes(self, pieces: list[Piece]) -> None:
        text, start = self._text, self._at
        self._at += 1
        pieces.append(Piece(_QUOTED, ""))
        while True:
            part = _PART_IN_DOUBLE_QUOTES.match(text, self._at)
            if part is not None:
                self._at = part.end()
                after = part.group(2)
                if after is None or after not in '$`"\\\n':
                    pieces.append(Piece(_QUOTED, part.group()))
                elif after != "\n":
                    pieces.append(Piece(_QUOTED, after))
            elif text.startswith('"', self._at):
                self._at += 1
                return
            elif text.startswith("$", self._at):
                self._dollar(pieces, quoted=True)
            elif text.startswith("`", self._at):
                raise NeedsBash("a command substitution", self._at)
            else:
                raise NeedsBash("an unfinished quote", start)

    def _dollar(self, pieces: list[Piece], *, quoted: bool) -> None:
        text, at = self._text, self._at
        variable = _QUOTED_VARIABLE if quoted else _VARIABLE
        after = text[at + 1 : at + 2]
        name = _NAME.match(text, at + 1) or _BRACED_NAME.match(text, at + 1)
        if name:
            self._at = name.end()
            group = name.lastindex  # of a name in braces; another has none
            if group is None and text.startswith("\\\n", self._at):
                raise NeedsBash("a variable's name over two lines", at)
            pieces.append(Piece(variable, name.group(group or 0)))
        elif after in _NUMBERS and after:
            self._at += 2
            # A number: quotes make no difference.
            pieces.append(Piece(_QUOTED_VARIABLE, after))
        elif after in _DIGITS and after:
            self._at += 2
            pieces.append(Piece(variable, after))
        elif after == "'" and not quoted:
            value, self._at = decode_ansi(text, at + 2)
            self._decoded.append((at, self._at, value))
            pieces.append(Piece(_QUOTED, value))
        else:
            self._literal_dollar(pieces, after, quoted=quoted)

    def _literal_dollar(self, pieces: list[Piece], after: str, *, quoted: bool) -> None:
        at = self._at
        if after == "(":
            raise NeedsBash("a command substitution or arithmetic", at)
        if after in ("{", "["):
            raise NeedsBash("a parameter expansion or arithmetic", at)
        if after in ("@", "*", "$", "!", "-"):
            raise NeedsBash("a special parameter", at)
        if after == '"' and not quoted:
            raise NeedsBash('$"..."', at)
        if self._text.startswith("\\\n", at + 1):
            raise NeedsBash("a variable's name over two lines", at)
        self._at += 1
        pieces.append(Piece(_QUOTED, "$"))


def _without_continuations(found: re.Match[str]) -> str:
    """A quoted part of a word, or a backslash and what follows it."""
    part = found.group()
    return part if part.startswith("'") else part.replace("\\\n", "")


def single_quoted(value: str) -> str:
    """As bash quotes what it shows."""
    return "'" + value.replace("'", r"'\''") + "'"


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Text joined to text of its kind, so that no rule depends on how it was read."""
    if len(pieces) < 2:
        return pieces
    joined: list[Piece] = []
    for kind, group in groupby(pieces, _kind):
        if kind is _PLAIN or kind is _QUOTED:
            joined.append(Piece(kind, "".join([piece.text for piece in group])))
        else:
            joined.extend(group)
    return joined


def _with_home(pieces: list[Piece], offset: int) -> Word:
    """Find the tildes that bash expands: at the start, and after the = of NAME=."""
    for kind, text in pieces:
        if kind is _PLAIN and "~" in text:
            break
    else:
        return Word(tuple(pieces))
    first = pieces[0]
    if first.kind is not _PLAIN:
        return Word(tuple(pieces))
    assignment = _ASSIGNMENT.match(first.text)
    begin = assignment.end() if assignment else 0
    if assignment and any(kind is _PLAIN and ":~" in text for kind, text in pieces):
        raise NeedsBash("a tilde after a colon", offset)
    if _ODD_ASSIGNMENT.match(first.text):
        raise NeedsBash("a tilde in an assignment to an element, or that appends", offset)
    rest = first.text[begin:]
    if not rest.startswith("~"):
        return Word(tuple(pieces))
    prefix, slash, _ = rest[1:].partition("/")
    if prefix or (not slash and len(pieces) > 1):
        raise NeedsBash("a tilde that is not the home directory", offset)
    before = [Piece(_PLAIN, first.text[:begin])] if begin else []
    after = [Piece(_PLAIN, rest[1:])] if rest[1:] else []
    return Word((*before, Piece(Kind.HOME, "~"), *after, *pieces[1:]))
