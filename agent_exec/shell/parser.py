"""Tokens to a script: lists, pipelines, commands, redirections."""

from __future__ import annotations

import re

from agent_exec.model.script import (
    Assignment,
    Item,
    Joint,
    Kind,
    Operator,
    Piece,
    Pipeline,
    Redirection,
    Script,
    SimpleCommand,
    Word,
)
from agent_exec.named_tuple import NamedTuple
from agent_exec.shell.braces import expand_braces, may_expand
from agent_exec.shell.lexer import Lexer, Token, TokenKind, single_quoted
from agent_exec.shell.needs_bash import NeedsBash

# Words that mean something to the grammar where a command could begin.
_RESERVED = frozenset(
    {
        *("if", "then", "elif", "else", "fi", "case", "esac", "for", "select", "while", "until"),
        *("do", "done", "in", "function", "time", "coproc", "{", "}", "[[", "]]", "!"),
    }
)
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(\+?=|\[)")
_WORD, _REDIRECTION, _JOINT, _NEWLINE, _END = TokenKind
_PLAIN, _QUOTED, _ALWAYS = Kind.PLAIN, Kind.QUOTED, Joint.ALWAYS
_NOT = Word((Piece(Kind.PLAIN, "!"),))
_JOINTS = {joint.value: joint for joint in Joint}
# No person and no model writes more; and memory stays bounded.
_MOST_PARTS = 20_000


def parse(text: str) -> Script:
    """What `text` says, if all of it runs without bash. An empty text is an empty script.

    Raises:
        NeedsBash: Something in it has no form in `agent_exec.model.script`, or is wrong:
            bash says what, after it has run the lines before.
    """
    return _Parser(text).script()


class _Draft:
    """A command whose here-documents may not have been read yet."""

    def __init__(self, line: int) -> None:
        self.line = line
        self.assignments: list[Assignment] = []
        self.words: list[Word] = []
        self.redirections: list[Redirection] = []
        self.last_line = 1
        self.shown: list[str] = []
        """The words and assignments as written."""
        self.shown_behind: list[str] = []
        """The redirections as bash writes them."""
        self.bodies: list[str] = []
        """The here-documents, with their ends."""

    def finish(self) -> SimpleCommand:
        return SimpleCommand(
            tuple(self.assignments),
            tuple(self.words),
            tuple(self.redirections),
            self.line,
            " ".join(self.shown + self.shown_behind) + "".join(self.bodies),
            self.last_line,
        )


class _Awaited(NamedTuple):
    """A here-document that begins at the next line."""

    draft: _Draft
    place: int
    delimiter: str
    quoted: bool
    strip_tabs: bool


class _Chain:
    """A pipeline of drafts."""

    def __init__(self, joint: Joint, *, negated: bool) -> None:
        self.joint = joint
        self.negated = negated
        self.drafts: list[_Draft] = []
        self.errors_too: list[bool] = []

    def finish(self) -> Item:
        commands = tuple([draft.finish() for draft in self.drafts])
        return Item(self.joint, Pipeline(commands, tuple(self.errors_too), self.negated))


class _Parser:
    def __init__(self, text: str) -> None:
        self._lexer = Lexer(text)
        self._awaited: list[_Awaited] = []
        self._late: _Draft | None = None
        """A command of one word, whose line ends with the here-documents of others."""
        self._line = 1
        """The last one that was read to its end."""
        self._nothing_follows = False
        """Behind that line."""
        self._room = _MOST_PARTS
        self._token = self._lexer.next()

    def script(self) -> Script:
        chains: list[_Chain] = []
        self._skip_newlines()
        joint = _ALWAYS
        line: list[_Chain] = []
        execs = False
        while self._token.kind is not _END:
            line.append(self._pipeline(joint))
            joint, ends_at = self._joint()
            if ends_at is not None:
                for chain in line:
                    for draft in chain.drafts:
                        draft.last_line = ends_at
                execs = self._nothing_follows and _is_executed_in_place(line)
                chains += line
                line = []
        if joint is not _ALWAYS:
            raise NeedsBash("an operator with nothing after it", self._token.offset)
        if self._awaited:
            raise NeedsBash("a here-document without its end", self._token.offset)
        return Script(tuple([chain.finish() for chain in chains]), execs)

    def _advance(self) -> None:
        self._token = self._lexer.next()

    def _newline(self) -> None:
        """Read the here-documents that begin here, then the next token."""
        for awaited in self._awaited:
            body = self._lexer.body(
                awaited.delimiter, quoted=awaited.quoted, strip_tabs=awaited.strip_tabs
            )
            redirection = awaited.draft.redirections[awaited.place]
            target = Word((Piece(Kind.QUOTED, body),))
            awaited.draft.redirections[awaited.place] = redirection._replace(target=target)
            begin = "" if awaited.draft.bodies else "\n"
            awaited.draft.bodies.append(f"{begin}{body}{awaited.delimiter}\n")
        self._line = self._lexer.line_before()
        if self._late is not None:
            self._late.line = self._line
            self._late = None
        self._awaited.clear()
        self._nothing_follows = self._lexer.at_end
        self._advance()

    def _skip_newlines(self) -> None:
        while self._token.kind is _NEWLINE:
            self._newline()

    def _joint(self) -> tuple[Joint, int | None]:
        """What joins the pipeline just read to the next; its line, where a line ends here."""
        joint = _ALWAYS
        if self._token.kind is _JOINT:
            joint = _JOINTS[self._token.text]
            self._advance()
            if joint is not _ALWAYS:
                self._skip_newlines()
                return joint, None
        if self._token.kind is _END:
            self._nothing_follows = True
            return joint, self._token.line
        if self._token.kind is not _NEWLINE:
            return joint, None
        self._newline()
        line, last = self._line, self._nothing_follows
        self._skip_newlines()
        self._nothing_follows = last
        return joint, line

    def _pipeline(self, joint: Joint) -> _Chain:
        negated = self._token.word == _NOT
        if negated:
            self._advance()
        chain = _Chain(joint, negated=negated)
        while True:
            chain.drafts.append(self._command())
            token = self._token
            if token.kind is not _JOINT or token.text not in ("|", "|&"):
                return chain
            errors_too = token.text == "|&"
            chain.errors_too.append(errors_too)
            if errors_too:
                chain.drafts[-1].shown_behind.append("2>&1")
            self._advance()
            self._skip_newlines()

    def _command(self) -> _Draft:
        # bash notes the line when it has seen the first part: and what follows it, if that is
        # a word, since a parenthesis would make it a function.
        draft = _Draft(self._token.line)
        lexer, words = self._lexer, draft.words
        first = True
        while True:
            token = self._token
            kind, offset, _, _, word, _, _ = token
            if kind is _WORD:
                self._room -= 1
                draft.shown.append(lexer.written(offset))
                if not words:
                    self._first_word(draft, token)
                elif may_expand(word):
                    self._braces(draft, token)
                else:
                    words.append(word)
                if words:
                    plain = lexer.plain_words()
                    self._room -= len(plain)
                    draft.shown += plain
                    for text in plain:
                        words.append(Word((Piece(_PLAIN, text),)))
                self._token = lexer.next()
                if first and words:
                    self._note_line(draft)
            elif kind is _REDIRECTION:
                self._room -= 1
                line = self._redirection(draft, token)
                draft.line = line if first else draft.line
            else:
                break
            first = False
            if self._room < 0:
                raise NeedsBash(f"more than {_MOST_PARTS} words and redirections", token.offset)
        if not draft.words and draft.assignments:
            raise NeedsBash("an assignment to a variable of the shell", token.offset)
        if not draft.words and not draft.redirections:
            raise NeedsBash("a syntax error", token.offset)
        return draft

    def _braces(self, draft: _Draft, token: Token) -> None:
        if _is_export(draft.words[0]):
            raise NeedsBash("braces in the arguments of export", token.offset)
        words = expand_braces(token.word, token.offset)
        self._room -= len(words)
        draft.words.extend(words)

    def _note_line(self, draft: _Draft) -> None:
        draft.line = self._token.line
        if self._token.kind is _NEWLINE and self._awaited:
            self._late = draft

    def _first_word(self, draft: _Draft, token: Token) -> None:
        """A word where a command could begin: an assignment, a name, or grammar."""
        _, offset, _, _, word, _, _ = token
        pieces = word.pieces
        kind, text = pieces[0] if pieces else (_QUOTED, "")
        if kind is _PLAIN and len(pieces) == 1 and text in _RESERVED:
            raise NeedsBash("a compound command", offset)
        if may_expand(word):
            raise NeedsBash("a brace expansion where a command begins", offset)
        assignment = _ASSIGNMENT.match(text) if kind is _PLAIN else None
        if assignment is None:
            if "".join([text for _, text in pieces]).startswith("%"):
                raise NeedsBash("a job", offset)
            draft.words.append(word)
            return
        if assignment.group(2) != "=":
            raise NeedsBash("an array or an appending assignment", offset)
        value = pieces[1:]
        if text[assignment.end() :]:
            value = (Piece(_PLAIN, text[assignment.end() :]), *value)
        draft.assignments.append(Assignment(assignment.group(1), Word(value)))

    def _redirection(self, draft: _Draft, token: Token) -> int:
        """Take it, and what follows the operator; the line where that ends."""
        operator = token.operator
        if operator is Operator.HERE_DOCUMENT:
            delimiter, quoted = self._lexer.delimiter()
            self._awaited.append(
                _Awaited(
                    draft, len(draft.redirections), delimiter, quoted, token.text.endswith("-")
                )
            )
            draft.redirections.append(Redirection(token.fd, operator, Word(())))
            fd = token.fd or ""
            mark = single_quoted(delimiter) if quoted else delimiter
            draft.shown_behind.append(f"{fd}{token.text}{mark}")
            self._advance()
            return token.line
        self._advance()
        target = self._token
        if target.kind is not _WORD:
            raise NeedsBash("a redirection to nothing", token.offset)
        word = target.word
        if may_expand(word):
            raise NeedsBash("a brace expansion as the target of a redirection", token.offset)
        if operator in (Operator.DUPLICATE_OUT, Operator.DUPLICATE_IN):
            # bash expands any other target twice.
            source = _bare(target)
            if source not in ("0", "1", "2"):
                raise NeedsBash("a descriptor above 2, closed or computed", token.offset)
            if source == "0" and token.fd:
                raise NeedsBash("output to the input", token.offset)
        elif operator is not Operator.HERE_STRING and any(
            kind is _PLAIN and _may_match(text) for kind, text in word.pieces
        ):
            raise NeedsBash("a pattern as the target of a redirection", target.offset)
        if operator is Operator.HERE_STRING:
            word = _without_assignment(word)
        draft.redirections.append(Redirection(token.fd, operator, word))
        draft.shown_behind.append(_shown(token.fd, operator, self._lexer.written(target.offset)))
        self._advance()
        return target.line


def _is_executed_in_place(line: list[_Chain]) -> bool:
    """Does bash become the last command of the last line, instead of waiting for it?"""
    last = line[-1]
    if last.negated or len(last.drafts) > 1 or last.drafts[0].redirections:
        return False
    return last.joint is _ALWAYS or all(chain.joint is not _ALWAYS for chain in line[1:])


def _shown(fd: int, operator: Operator, target: str) -> str:
    """A redirection as bash writes it."""
    if operator in (Operator.DUPLICATE_OUT, Operator.DUPLICATE_IN):
        return f"{fd}{operator}{target}"
    usual = operator in (Operator.WRITE_BOTH, Operator.APPEND_BOTH) or fd == (
        0 if operator in (Operator.READ, Operator.HERE_STRING) else 1
    )
    return f"{'' if usual else fd}{operator} {target}"


def _without_assignment(word: Word) -> Word:
    """A word of which only the first tilde may be a home directory, not that behind a ``=``."""
    pieces = word.pieces[:1]
    for piece in word.pieces[1:]:
        pieces += (piece._replace(kind=_PLAIN) if piece.kind is Kind.HOME else piece,)
    return Word(pieces)


def _may_match(text: str) -> bool:
    return any(char in text for char in "*?[")


def _is_export(word: Word) -> bool:
    return word.literal == "export"


def _bare(token: Token) -> str | None:
    """The text of a word without quotes or expansions."""
    pieces = token.word.pieces
    if token.kind is _WORD and len(pieces) == 1 and pieces[0].kind is _PLAIN:
        return pieces[0].text
    return None
