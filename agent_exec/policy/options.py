"""An argument vector to the options and operands that its program would see.

Source: getopt_long(3); POSIX.1-2017, XBD 12.2, Utility Syntax Guidelines.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from agent_exec.named_tuple import NamedTuple
from agent_exec.named_tuple import new as _new
from agent_exec.policy.table import Option, Role, Syntax, Table

_FALSE = frozenset({"false", "False", "FALSE", "f", "F", "0"})
_TRUE = frozenset({"true", "True", "TRUE", "t", "T", "1"})
_NONE: frozenset[str] = frozenset()
_POSIX, _SINGLE, _WORDS = Syntax.POSIX, Syntax.SINGLE, Syntax.WORDS


class Given(NamedTuple):
    """An option that was given, and its values: (index of the word, text)."""

    option: Option
    values: tuple[tuple[int, str], ...] = ()
    negated: bool = False


class Parsed(NamedTuple):
    """What a program sees. `unknown`: words that its table does not explain."""

    options: tuple[Given, ...]
    operands: tuple[tuple[int, str], ...]
    """(index of the word, text)."""
    assignments: tuple[tuple[str, str], ...]
    unknown: tuple[str, ...]
    ended_at: int | None
    """From the word of this index on, none is an option."""

    @property
    def names(self) -> frozenset[str]:
        """First names of the options that were given."""
        if not self.options:
            return _NONE
        return frozenset([given.option.names[0] for given in self.options if not given.negated])


def parse(table: Table, argv: Sequence[str], start: int = 1) -> Parsed:
    """Read `argv` from `start` on. Never raises: what is not understood is `unknown`."""
    return _Parser(table, argv).run(start)


class _Parser:
    """Its methods take the index of a word, and return that of the next one to read."""

    _ended_at: int | None = None
    _negates = False

    def __init__(self, table: Table, argv: Sequence[str]) -> None:
        self._table = table
        self._argv = argv
        self._options: list[Given] = []
        self._operands: list[tuple[int, str]] = []
        self._assignments: list[tuple[str, str]] = []
        self._unknown: list[str] = []

    def run(self, at: int) -> Parsed:
        table, argv = self._table, self._argv
        syntax, options, numeric = table.syntax, table.options, table.numeric
        n_words = len(argv)
        if table.old_style and at < n_words and argv[at][:1] not in ("-", ""):
            at = self._letters(at, argv[at])
        stops = table.stops or syntax is _POSIX or table.commands is not None
        if table.response_files:
            self._unknown += [word for word in argv[at:] if word.startswith("@")]
        if syntax is _WORDS:
            self._ended_at = at
        if syntax is _SINGLE:
            options, numeric = {}, False
        plain = not stops and table.plus is None and not table.assignments
        operands = self._operands
        while at < n_words:
            word = argv[at]
            if word[:1] != "-" or word == "-" or self._ended_at is not None:
                if plain:
                    operands.append((at, word))
                else:
                    self._operand(at, word, stops=stops)
                at += 1
            elif word in options and word != "--":  # as most are spelled
                at = self._take(at, options[word], None)
            elif word == "--":
                at += 1
                self._ended_at = at
            elif numeric and word[1:].isdecimal() and word.isascii():
                at += 1
            else:
                at = self._option(at, word)
        if self._negates:
            self._contradictions()
        read = (
            tuple(self._options) if self._options else (),
            tuple(operands) if operands else (),
            tuple(self._assignments) if self._assignments else (),
            tuple(self._unknown) if self._unknown else (),
            self._ended_at,
        )
        return _new(Parsed, read)

    def _contradictions(self) -> None:
        """Where one option takes another back, what counts is the program's own affair."""
        negated = [given.option.names[0] for given in self._options if given.negated]
        names = [given.option.names[0] for given in self._options if not given.negated]
        both = [name for name in dict.fromkeys(names) if name in negated]
        self._unknown += [f"{name} and its opposite" for name in both]

    def _operand(self, at: int, word: str, *, stops: bool) -> None:
        """A word that is no option."""
        table = self._table
        if table.plus is not None and word.startswith("+") and self._ended_at is None:
            self._options.append(Given(Option(("+",), (table.plus,)), ((at, word[1:]),)))
        elif table.assignments and word == "-" and not (self._operands or self._assignments):
            pass  # ``env -`` is ``env -i``
        elif table.assignments and not self._operands and "=" in word:
            name, _, value = word.partition("=")
            self._assignments.append((name, value))
            self._ended_at = at + 1
        else:
            self._operands.append((at, word))
            if stops and self._ended_at is None:
                self._ended_at = at

    def _option(self, at: int, word: str) -> int:
        """One that is abbreviated, bundled, or has its value in the same word."""
        if self._table.syntax is _SINGLE:
            return self._single(at, word)
        if word.startswith("--"):
            return self._long(at, word)
        if self._table.separate:
            return self._letters(at, word[1:])
        return self._bundle(at, word)

    def _single(self, at: int, word: str) -> int:
        name, equals, value = word.partition("=")
        option = self._table.options.get(name)
        if option is None and name.startswith("--"):
            option = self._table.options.get(name[1:])
        if option is None:
            return self._reject(at, word)
        if equals and not option.values and option.attached is None:
            return self._switch(at, option, word, value)
        return self._take(at, option, value if equals else None)

    def _switch(self, at: int, option: Option, word: str, value: str) -> int:
        """``-name=false``: see flag.Bool of Go."""
        if value in _FALSE:
            return self._negate(at, option)
        if value not in _TRUE:
            return self._reject(at, word)
        self._options.append(Given(option))
        return at + 1

    def _negate(self, at: int, option: Option) -> int:
        self._options.append(Given(option, (), negated=True))
        self._negates = True
        return at + 1

    def _long(self, at: int, word: str) -> int:
        name, equals, value = word.partition("=")
        option = self._find_long(name)
        if option is None:
            negated = self._find_negated(name)
            if negated is None or equals:
                return self._reject(at, word)
            return self._negate(at, negated)
        if equals and not option.values and option.attached is None:
            return self._reject(at, word)
        return self._take(at, option, value if equals else None)

    def _find_long(self, name: str) -> Option | None:
        """By its name, or by what only one option begins with."""
        table = self._table
        option = table.options.get(name)
        if option is not None:
            return option
        longs = table.longs
        at = bisect_left(longs, name)
        found: Option | None = None
        while at < len(longs) and longs[at].startswith(name):
            candidate = table.options[longs[at]]
            if found is not None and candidate is not found:
                return None
            found = candidate
            at += 1
        return found

    def _find_negated(self, name: str) -> Option | None:
        if not self._table.negatable or not name.startswith("--no-"):
            return None
        return self._find_long(f"--{name[5:]}")

    def _bundle(self, at: int, word: str) -> int:
        """``-abVALUE``: letters up to the first that takes a value."""
        options = self._table.options
        for place in range(1, len(word)):
            option = options.get(f"-{word[place]}")
            if option is None:
                return self._reject(at, word)
            rest = word[place + 1 :]
            if rest[:1] == "=" and not _names_nothing(option):
                # Some programs take the sign for a part of the value, some do not.
                return self._reject(at, word)
            if option.values or option.attached is not None:
                return self._take(at, option, rest or None)
            self._options.append(_new(Given, (option, (), False)))
        return at + 1

    def _letters(self, at: int, letters: str) -> int:
        """``tar xzf FILE``: the values follow, in the order of their letters."""
        word = self._argv[at]
        at += 1
        for letter in letters:
            option = self._table.options.get(f"-{letter}")
            if option is None:
                self._unknown.append(word)
                return at
            values = []
            for _ in option.values:
                if at == len(self._argv):
                    self._unknown.append(word)
                    return at
                values.append((at, self._argv[at]))
                at += 1
            self._options.append(Given(option, tuple(values)))
        return at

    def _take(self, at: int, option: Option, attached: str | None) -> int:
        """An option and its values, of which the first may be attached."""
        wanted = option.values
        if not wanted and attached is None:
            self._options.append(_new(Given, (option, (), False)))
            return at + 1
        argv, index = self._argv, at
        at += 1
        values: list[tuple[int, str]] = []
        if attached is not None:
            values.append((index, attached))
            wanted = wanted[1:]
        for _ in wanted:
            if at == len(argv):
                self._unknown.append(f"{argv[index]} without its value")
                break
            values.append((at, argv[at]))
            at += 1
        else:
            self._options.append(_new(Given, (option, tuple(values), False)))
        return at

    def _reject(self, at: int, word: str) -> int:
        self._unknown.append(word)
        return at + 1


def _names_nothing(option: Option) -> bool:
    return {*option.values, option.attached} <= {Role.DATA, None}
