"""One argument vector and its table to what it means."""

from __future__ import annotations

import os.path
from collections.abc import Sequence

from agent_exec.model.effect import Effect, EffectKind
from agent_exec.model.request import Command, Source
from agent_exec.named_tuple import new as _new
from agent_exec.policy.languages import WORD_LANGUAGES
from agent_exec.policy.meaning import Inner, Meaning, on, unknown
from agent_exec.policy.operands import known, present, reached
from agent_exec.policy.options import Parsed, parse
from agent_exec.policy.roles import MEANINGS, ON_PATH
from agent_exec.policy.table import Mode, Operand, Option, Role, Table

_NO_MODE = Mode(frozenset())
_DATA = Role.DATA
_COMMAND = Role.COMMAND
# What a word that nobody knows may at most be to a program, so that any word may stand there.
_READ_AT_MOST = frozenset({Role.DATA, Role.READ, Role.DIRECTORY})
_FILES = frozenset({Role.READ, Role.WRITE, Role.UPDATE})
_WRITTEN = frozenset({Role.WRITE, Role.UPDATE, Role.TARGET})


def meaning_of(
    command: Command, table: Table, names: tuple[str, ...] | None
) -> tuple[tuple[str, ...], int, Meaning]:
    """What a command means.

    Args:
        command: The command.
        table: Its program's.
        names: Directories beneath which lie the files that its input lists; None: unknown.

    Returns:
        The program's name with its sub-commands, the index after these, and the meaning.
    """
    found = _Meaning(command, names)
    name = found.read(table, 1)
    return name, found.rest, found.total()


class _Meaning:
    """Collects what one command means."""

    rest = 1
    _directory: str | None = None
    _follows = False

    def __init__(self, command: Command, names: tuple[str, ...] | None) -> None:
        self._command = command
        self._names = names
        self._argv = command.argv
        self._done: list[Effect] = []
        self._run: list[Inner] = []
        self._texts: list[str] = []
        self._plain: list[str] = []
        self._closed: list[str] = []

    def total(self) -> Meaning:
        if self._follows:
            paths = [each.path for each in self._done if each.kind is EffectKind.READ]
            self._closed += [path for path in paths if path is not None]
        found = (
            tuple(self._done),
            tuple(self._run) if self._run else (),
            tuple(self._texts) if self._texts else (),
            tuple(self._plain) if self._plain else (),
            tuple(self._closed) if self._closed else (),
        )
        return _new(Meaning, found)

    def read(self, table: Table, start: int) -> tuple[str, ...]:
        """Words from `start` on, by `table`. The name of what they are the arguments of."""
        argv = self._argv
        self.rest = start
        if len(argv) == start + 1 and argv[start] in table.alone and self._command.more is None:
            return (table.name,)
        if table.anything is not None:
            self._done += table.anything
            return (table.name,)
        if table.language is not None:
            self._add(self._by_language(table.language))
            return (table.name,)
        if table.otherwise is not None and not self._names_one(table, start):
            assert table.commands is not None
            self._effects(table.effects)
            return (table.name, *self.read(table.commands[table.otherwise], start))
        parsed = parse(table, argv, start)
        self._follows = self._follows or table.follows
        mode = _mode(table, parsed, self._command.stdin) if table.modes else _NO_MODE
        override = self._options(table, parsed, mode)
        self._effects(table.effects if mode.effects is None else mode.effects)
        if table.commands is not None:
            return (table.name, *self._sub_command(table, parsed))
        self._operands(table, mode, parsed, override)
        return (table.name,)

    def _add(self, part: Meaning) -> None:
        self._done += part.effects
        self._run += part.inner
        self._texts += part.texts
        self._plain += part.plain
        self._closed += part.closed

    def _by_language(self, language: str) -> Meaning:
        if self._command.more is not None:
            return unknown("words that nobody knows yet")
        reader = WORD_LANGUAGES.get(language)
        if reader is None:
            return unknown(f"nobody reads the language {language}")
        return reader(self._argv, self._command.patterns, self._names)

    def _options(self, table: Table, parsed: Parsed, mode: Mode) -> Role | None:
        """What an option says that the files among the operands are."""
        for word in parsed.unknown:
            self._say_unknown(f"nobody has said what {word} does")
        override: Role | None = None
        patterns = self._command.patterns
        for option, values, negated in parsed.options:
            names, roles, attachable, effects, operands, because, follows = option
            if override is None:
                override = operands
            if negated:
                continue
            if follows:
                self._follows = True
            if effects:
                self._effects(effects, because)
            if not values:
                continue
            if mode is not _NO_MODE and names[0] in mode.values:
                roles = mode.values[names[0]]
            elif not roles and attachable is not None:
                roles = (attachable,)
            for (index, word), role in zip(values, roles, strict=False):
                if index in patterns:
                    # Whatever --include=*.py matches begins with --include=, too.
                    attached = word != self._argv[index]
                    if not (attached and role in _READ_AT_MOST):
                        self._say_unknown(f"a glob is the value of {names[0]}")
                if role is _DATA:
                    continue
                self._word(_named(word, role, table), role, because or f"the value of {names[0]}")
                if role is Role.DIRECTORY:
                    self._directory = os.path.join(self._directory or "", word)
        return override

    def _names_one(self, table: Table, start: int) -> bool:
        """Is the word at `start` a sub-command, or may it be one?"""
        if start == len(self._argv):
            return self._command.more is not None
        named = table.commands or {}
        return start in self._command.patterns or self._argv[start] in named

    def _sub_command(self, table: Table, parsed: Parsed) -> tuple[str, ...]:
        commands = table.commands
        assert commands is not None
        if self._command.more is not None:
            self._say_unknown("words that nobody knows yet may be options")
        if not parsed.operands:
            if table.default is None:
                self._effects(table.none)
                return ()
            return self.read(commands[table.default], len(self._argv))
        index, word = parsed.operands[0]
        found = commands.get(word)
        if found is None or index in self._command.patterns:
            self._say_unknown(f"nobody has said what {table.name} {word} does")
            self.rest = index + 1
            return (word,)
        return self.read(found, index + 1)

    def _operands(self, table: Table, mode: Mode, parsed: Parsed, override: Role | None) -> None:
        given: Sequence[tuple[int, str]] = parsed.operands
        if table.keys is not None:
            given = [each for each in given if not self._key(table, each[1])]
        more = self._command.more
        operands = present(table.operands if mode.operands is None else mode.operands, parsed)
        specs = operands.specs
        if not given and more is None:
            self._effects(table.none if mode.none is None else mode.none)
            if operands.absent:
                self._absent(specs, ())
            self._stdin(table)
            return
        patterns = self._command.patterns
        globs: Sequence[int] = ()
        if patterns:
            globs = [place for place, (index, _) in enumerate(given) if index in patterns]
        if globs or more is not None:
            may_be = reached(operands, len(given), globs, more)
            taken = self._doubtful_operands(table, parsed, override, given, may_be)
            if taken is None:
                return
        else:
            taken = known(operands, len(given))
            for (index, word), spec in zip(given, taken, strict=True):
                if spec is None:
                    self._say_unknown(f"one operand too many: {word}")
                elif self._operand(table, parsed, override, index, word, spec):
                    return
        if more is not None:
            self._more(table, specs, len(given), override, more)
        elif operands.absent:
            self._absent(specs, taken)

    def _doubtful_operands(
        self,
        table: Table,
        parsed: Parsed,
        override: Role | None,
        given: Sequence[tuple[int, str]],
        may_be: Sequence[Sequence[Operand | None]],
    ) -> Sequence[Operand | None] | None:
        """Words among or before which stand others that nobody knows.

        Returns:
            What all of them may be; None: an inner command has begun.
        """
        taken: list[Operand | None] = []
        for (index, word), specs in zip(given, may_be, strict=True):
            is_glob = index in self._command.patterns
            if is_glob and _may_be_option(index, word, parsed) and not _reads_at_most(table):
                self._say_unknown(f"{word} may match names that are options")
            if specs[-1] is None:
                self._say_unknown(f"one operand too many: {word}")
            if len(specs) > 1:
                self._say_unknown(f"what {word} is depends on what globs match")
            taken += specs
            for spec in specs:
                if spec is not None and self._operand(table, parsed, override, index, word, spec):
                    return None
        return taken

    def _operand(
        self,
        table: Table,
        parsed: Parsed,
        override: Role | None,
        index: int,
        word: str,
        spec: Operand,
    ) -> bool:
        """Is it the first word of an inner command, which goes to the end?"""
        role, _, _, _, effects, _ = spec
        if effects:
            self._effects(effects)
        if role is _COMMAND:
            self._inner(index, parsed)
            return True
        if override is not None:
            role = _overridden(role, override)
        if word == "-":
            self._word(_named(word, role, table), role, "")
            self._stdin(table)
        elif role is not _DATA:
            self._word(word, role, "")
        return False

    def _absent(self, specs: Sequence[Operand], taken: Sequence[Operand | None]) -> None:
        for spec in specs:
            if spec.absent and spec not in taken:
                self._effects(spec.absent)

    def _key(self, table: Table, word: str) -> bool:
        """An operand KEY=VALUE."""
        key, equals, value = word.partition("=")
        assert table.keys is not None
        role = table.keys.get(key)
        if not equals or role is None:
            return False
        self._word(value, role, f"{key}=")
        return True

    def _inner(self, index: int, parsed: Parsed) -> None:
        command = self._command
        if command.argv[index] == "":
            self._say_unknown("an inner command without a name")
            return
        self._run.append(
            Inner(
                command.argv[index:],
                frozenset(at - index for at in command.patterns if at >= index),
                more=command.more,
                variables=parsed.assignments,
                cwd=self._directory,
            )
        )

    def _stdin(self, table: Table) -> None:
        """What a program takes its input for."""
        if table.stdin is None:
            return
        command = self._command
        if table.stdin is Role.SHELL and command.stdin is Source.TEXT and command.text is not None:
            self._texts.append(command.text)
        elif command.stdin is not Source.NOTHING:
            effect = Effect(EffectKind.EXECUTE, because="runs what its input says")
            if table.stdin is Role.READ:
                effect = Effect(EffectKind.READ, because="reads files that its input names")
            self._done.append(effect)

    def _more(
        self,
        table: Table,
        specs: Sequence[Operand],
        n_operands: int,
        override: Role | None,
        more: tuple[str, ...],
    ) -> None:
        """Any number of words follow: names beneath `more`, or any at all."""
        no_options = bool(more) and all(path.endswith("/") for path in more)
        if not no_options and not _reads_at_most(table):
            self._say_unknown("words from its input may be options")
        reached = [
            _overridden(spec.role, override)
            for spec in specs[min(n_operands, len(specs) - 1) :]
            if specs
        ]
        for role in dict.fromkeys(reached):
            if role is Role.READ and more:
                for path in more:
                    self._word(path, role, "names from its input")
            elif role is not Role.DATA:
                self._say_unknown("names from its input")
        if not reached:
            self._say_unknown("operands that its table does not know")

    def _word(self, word: str, role: Role, because: str) -> None:
        if role is _DATA:
            return
        kind = ON_PATH.get(role)
        if kind is not None and self._directory is None:
            self._done += on(kind, word, because)
            return
        part = MEANINGS[role](word, because)
        if self._directory is not None:
            part = part._replace(effects=tuple(map(self._beneath, part.effects)))
        if role is Role.LINE and self._directory is not None:
            part = part._replace(inner=tuple(i._replace(cwd=self._directory) for i in part.inner))
        self._add(part)

    def _beneath(self, effect: Effect) -> Effect:
        assert self._directory is not None
        if effect.path is None:
            return effect
        return effect._replace(path=os.path.join(self._directory, effect.path))

    def _effects(self, effects: tuple[Effect, ...], because: str = "") -> None:
        if not effects:
            return
        if because:
            effects = tuple([effect._replace(because=because) for effect in effects])
        if self._directory is not None:
            effects = tuple(map(self._beneath, effects))
        self._done += effects

    def _say_unknown(self, because: str) -> None:
        self._done.append(Effect(EffectKind.UNKNOWN, because=because))


def _named(word: str, role: Role, table: Table) -> str:
    """``-`` is the output only to some programs; to others a file like any."""
    return "./-" if word == "-" and role in _WRITTEN and not table.dash else word


def _may_be_option(index: int, word: str, parsed: Parsed) -> bool:
    """May a glob match a name that begins with a dash, where options are read?"""
    ended = parsed.ended_at is not None and index >= parsed.ended_at
    return not ended and word[:1] in "-+*?["


def _reads_at_most(table: Table) -> bool:
    """No option of it does more than to read, or makes operands anything else."""
    return (
        not table.response_files
        and table.plus in (None, Role.DATA)
        and all(map(_mode_reads_at_most, table.modes))
        and all(
            all(effect.kind is EffectKind.READ for effect in option.effects)
            and option.operands is None
            and _READ_AT_MOST.issuperset(_roles(option))
            for option in table.options.values()
        )
    )


def _mode_reads_at_most(mode: Mode) -> bool:
    roles = [spec.role for spec in mode.operands.specs] if mode.operands is not None else []
    roles += [role for values in mode.values.values() for role in values]
    effects = (*(mode.none or ()), *(mode.effects or ()))
    return _READ_AT_MOST.issuperset(roles) and all(
        effect.kind is EffectKind.READ for effect in effects
    )


def _roles(option: Option) -> tuple[Role, ...]:
    if option.values:
        return option.values
    return () if option.attached is None else (option.attached,)


def _mode(table: Table, parsed: Parsed, stdin: Source) -> Mode:
    names = parsed.names
    for mode in table.modes:
        fits = not mode.given or not mode.given.isdisjoint(names)
        fits = fits and (not mode.input or stdin is not Source.NOTHING)
        if fits and mode.unless.isdisjoint(names):
            return mode
    return _NO_MODE


def _overridden(role: Role, override: Role | None) -> Role:
    """An option may say what the files among the operands are to the program."""
    return role if override is None or role not in _FILES else override
