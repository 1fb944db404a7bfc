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
    return _Parser(table, argv, start).run()


class _Parser:
    _ended_at: int | None = None
    _negates = False

    def __init__(self, table: Table, argv: Sequence[str], start: int) -> None:
        self._table = table
        self._argv = argv
        self._at = start
        self._options: list[Given] = []
        self._operands: list[tuple[int, str]] = []
        self._assignments: list[tuple[str, str]] = []
        self._unknown: list[str] = []

    def run(self) -> Parsed:
        table, argv = self._table, self._argv
        syntax, options, numeric = table.syntax, table.options, table.numeric
        if table.old_style and self._at < len(argv) and argv[self._at][:1] not in ("-", ""):
            self._letters(argv[self._at])
        stops = table.stops or syntax is _POSIX or table.commands is not None
        if table.response_files:
            self._unknown += [word for word in argv[self._at :] if word.startswith("@")]
        if syntax is _WORDS:
            self._ended_at = self._at
        n_words = len(argv)
        if syntax is _SINGLE:
            options, numeric = {}, False
        plain = not stops and table.plus is None and not table.assignments
        while self._at < n_words:
            word = argv[self._at]
            if self._ended_at is not None or word[:1] != "-" or word == "-":
                if plain:
                    self._operands.append((self._at, word))
                else:
                    self._operand(word, stops=stops)
                self._at += 1
            elif word == "--":
                self._at += 1
                self._ended_at = self._at
            elif numeric and word[1:].isdecimal() and word.isascii():
                self._at += 1
            elif word in options:  # as most are spelled
                self._take(options[word], None, self._at)
            else:
                self._option(word)
        if self._negates:
            self._contradictions()
        read = (
            tuple(self._options) if self._options else (),
            tuple(self._operands) if self._operands else (),
            tuple(self._assignments) if self._assignments else (),
            tuple(self._unknown) if self._unknown else (),
            self._ended_at,
        )
        return _new(Parsed, read)

    def _contradictions(self) -> None:
        """Where one option takes another back, what counts is the program's own affair."""
        negated = [given.option.names[0] for given in self._options if given.negated]
        names = dict.fromkeys(given.option.names[0] for given in self._options if not given.negated)
        self._unknown += [f"{name} and its opposite" for name in names if name in negated]

    def _operand(self, word: str, *, stops: bool) -> None:
        """A word that is no option."""
        table = self._table
        if table.plus is not None and word.startswith("+") and self._ended_at is None:
            self._plus(word)
        elif table.assignments and word == "-" and not (self._operands or self._assignments):
            pass  # ``env -`` is ``env -i``
        elif table.assignments and not self._operands and "=" in word:
            name, _, value = word.partition("=")
            self._assignments.append((name, value))
            self._ended_at = self._at + 1
        else:
            self._operands.append((self._at, word))
            if stops and self._ended_at is None:
                self._ended_at = self._at

    def _plus(self, word: str) -> None:
        role = self._table.plus
        assert role is not None
        self._options.append(Given(Option(("+",), (role,)), ((self._at, word[1:]),)))

    def _option(self, word: str) -> None:
        """One that is abbreviated, bundled, or has its value in the same word."""
        if self._table.syntax is _SINGLE:
            self._single(word)
        elif word.startswith("--"):
            self._long(word)
        else:
            self._bundle(word)

    def _single(self, word: str) -> None:
        name, equals, value = word.partition("=")
        option = self._table.options.get(name)
        if option is None and name.startswith("--"):
            option = self._table.options.get(name[1:])
        if option is None:
            self._reject(word)
        elif equals and not option.values and option.attached is None:
            self._switch(option, word, value)
        else:
            self._take(option, value if equals else None, self._at)

    def _switch(self, option: Option, word: str, value: str) -> None:
        """``-name=false``: see flag.Bool of Go."""
        if value in _FALSE:
            self._negate(option)
        elif value in _TRUE:
            self._options.append(Given(option))
            self._at += 1
        else:
            self._reject(word)

    def _negate(self, option: Option) -> None:
        self._options.append(Given(option, (), negated=True))
        self._negates = True
        self._at += 1

    def _long(self, word: str) -> None:
        name, equals, value = word.partition("=")
        option = self._find_long(name)
        if option is None:
            negated = self._find_negated(name)
            if negated is None or equals:
                self._reject(word)
            else:
                self._negate(negated)
            return
        if equals and not option.values and option.attached is None:
            self._reject(word)
            return
        self._take(option, value if equals else None, self._at)

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

    def _bundle(self, word: str) -> None:
        """``-abVALUE``: letters up to the first that takes a value."""
        options = self._table.options
        if self._table.separate:
            self._letters(word[1:])
            return
        for place in range(1, len(word)):
            option = options.get(f"-{word[place]}")
            if option is None:
                self._reject(word)
                return
            rest = word[place + 1 :]
            if rest.startswith("=") and not _names_nothing(option):
                # Some programs take the sign for a part of the value, some do not.
                self._reject(word)
                return
            if option.values or option.attached is not None:
                self._take(option, rest or None, self._at)
                return
            self._options.append(Given(option))
        self._at += 1

    def _letters(self, letters: str) -> None:
        """``tar xzf FILE``: the values follow, in the order of their letters."""
        word = self._argv[self._at]
        self._at += 1
        for letter in letters:
            option = self._table.options.get(f"-{letter}")
            if option is None:
                self._unknown.append(word)
                return
            values = []
            for _ in option.values:
                if self._at == len(self._argv):
                    self._unknown.append(word)
                    return
                values.append((self._at, self._argv[self._at]))
                self._at += 1
            self._options.append(Given(option, tuple(values)))

    def _take(self, option: Option, attached: str | None, index: int) -> None:
        """An option and its values, of which the first may be attached."""
        at, argv, wanted = index + 1, self._argv, option.values
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
        self._at = at

    def _reject(self, word: str) -> None:
        self._unknown.append(word)
        self._at += 1


def _names_nothing(option: Option) -> bool:
    return {*option.values, option.attached} <= {Role.DATA, None}
