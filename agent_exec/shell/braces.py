"""``{a,b}`` and ``{1..3}`` in a word: one word to several.

Only braces that pair up. Of what is odd, bash's own reading is hard to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from agent_exec.model.script import Kind, Piece, Word
from agent_exec.regex import regex
from agent_exec.shell.needs_bash import NeedsBash

_SEQUENCE = regex(r"(-?[0-9]{1,6})\.\.(-?[0-9]{1,6})(?:\.\.(-?[0-9]{1,6}))?")
_LETTERS = regex(r"([a-z])\.\.([a-z])|([A-Z])\.\.([A-Z])")
# Plain text up to, and then, what braces are made of.
_MARK = regex(r"([{},])")
_MOST_WORDS = 1000
_MOST_PIECES = 100
_DEEPEST = 8

_Pieces = tuple[Piece, ...]


def may_expand(word: Word) -> bool:
    """Is there a comma or two dots between unquoted braces?"""
    for kind, text in word.pieces:
        if "{" in text and kind is Kind.PLAIN:
            break
    else:
        return False
    # Quoted ones do not count to bash; to us they do.
    seen = "".join([text for _, text in word.pieces])
    within = seen[seen.find("{") : seen.rfind("}") + 1]
    return "," in within or ".." in within


def expand_braces(word: Word, offset: int) -> list[Word]:
    """The words that `word` stands for; those that vanish are left out.

    Raises:
        NeedsBash: Braces of another form, or too many words.
    """
    return [Word(pieces) for pieces in _Expansion(word, offset).words() if pieces]


class _Expansion:
    def __init__(self, word: Word, offset: int) -> None:
        self._offset = offset
        self._atoms = list(_atoms(word))
        self._at = 0
        if len(self._atoms) > _MOST_PIECES:
            raise self._odd()
        # Braces come before variables: $x{a,b} is $xa and $xb.
        if any(
            kind is Kind.VARIABLE or (kind is Kind.QUOTED and text.endswith("$"))
            for kind, text in self._atoms
        ):
            raise NeedsBash("a dollar sign beside a brace expansion", offset)

    def words(self) -> list[_Pieces]:
        words = self._series(0)
        if self._at < len(self._atoms):
            raise self._odd()
        if any(word and word[0].kind is Kind.PLAIN and word[0].text[0] == "~" for word in words):
            raise NeedsBash("a tilde made by a brace expansion", self._offset)
        return words

    def _odd(self) -> NeedsBash:
        return NeedsBash("an odd brace expansion", self._offset)

    def _series(self, depth: int) -> list[_Pieces]:
        """Text and groups up to the end, or to the comma or brace that ends an element."""
        made: list[_Pieces] = [()]
        while self._at < len(self._atoms):
            kind, text = atom = self._atoms[self._at]
            if kind is Kind.PLAIN and text == "{":
                made = self._product(made, self._group(depth + 1))
            elif kind is Kind.PLAIN and text in ("}", ","):
                if depth:
                    return made
                if text == "}":
                    raise self._odd()
                made = [_with(pieces, atom) for pieces in made]
                self._at += 1
            else:
                made = [_with(pieces, atom) for pieces in made]
                self._at += 1
        return made

    def _product(self, before: list[_Pieces], after: list[_Pieces]) -> list[_Pieces]:
        if len(before) * len(after) > _MOST_WORDS:
            raise NeedsBash("a brace expansion to very many words", self._offset)
        return [_with(first, *second) for first in before for second in after]

    def _group(self, depth: int) -> list[_Pieces]:
        if depth > _DEEPEST:
            raise self._odd()
        self._at += 1
        sequence = self._sequence()
        if sequence is not None:
            return sequence
        elements: list[_Pieces] = []
        begin = self._at
        commas = 0
        while True:
            elements += self._series(depth)
            if self._at == len(self._atoms):
                raise self._odd()
            _, mark = self._atoms[self._at]
            self._at += 1
            if mark == "}":
                break
            commas += 1
        if commas:
            return elements
        if self._at == begin + 1:
            return [(Piece(Kind.PLAIN, "{}"),)]
        raise self._odd()

    def _sequence(self) -> list[_Pieces] | None:
        """The group that begins here, when it is ``a..b``."""
        atoms = self._atoms[self._at : self._at + 2]
        if len(atoms) < 2 or atoms[1] != (Kind.PLAIN, "}") or atoms[0].kind is not Kind.PLAIN:
            return None
        values = _numbers(atoms[0].text) or _letters(atoms[0].text)
        if not values:
            return None
        if len(values) > _MOST_WORDS:
            raise NeedsBash("a brace expansion to very many words", self._offset)
        self._at += 2
        return [(Piece(Kind.PLAIN, value),) for value in values]


def _atoms(word: Word) -> Iterator[Piece]:
    for piece in word.pieces:
        if piece.kind is Kind.PLAIN:
            yield from (Piece(Kind.PLAIN, text) for text in _MARK.split(piece.text) if text)
        else:
            yield piece


def _with(pieces: _Pieces, *more: Piece) -> _Pieces:
    for piece in more:
        last = pieces[-1] if pieces else None
        if last is not None and last.kind is piece.kind is Kind.PLAIN:
            pieces = (*pieces[:-1], Piece(Kind.PLAIN, last.text + piece.text))
        else:
            pieces = (*pieces, piece)
    return pieces


def _numbers(text: str) -> list[str]:
    found = _SEQUENCE.fullmatch(text)
    if found is None:
        return []
    first, last, step = found.groups()
    low, high = int(first), int(last)
    by = abs(int(step)) if step and int(step) else 1
    values = range(low, high + 1, by) if low <= high else range(low, high - 1, -by)
    padded = any(re.match(r"-?0[0-9]", end) for end in (first, last))
    width = max(len(first), len(last)) if padded else 0
    return [f"{value:0{width}d}" if padded else str(value) for value in values]


def _letters(text: str) -> list[str]:
    found = _LETTERS.fullmatch(text)
    if found is None:
        return []
    first, last = (ord(end) for end in found.groups() if end)
    values = range(first, last + 1) if first <= last else range(first, last - 1, -1)
    return [chr(value) for value in values]
