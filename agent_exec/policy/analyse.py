"""Commands to what they do. Pure: nothing is looked up, nothing is believed of a path.

What a command does is the sum of what its table says of its words, its redirections and
its variables. A command that it would run follows right after it in the list; see `Analysed`.
"""

from __future__ import annotations

import os.path
from collections.abc import Mapping, Sequence

from agent_exec.model.analysis import Analysed
from agent_exec.model.effect import Effect, EffectKind
from agent_exec.model.request import Command, Source
from agent_exec.named_tuple import new as _new
from agent_exec.policy.argv import meaning_of
from agent_exec.policy.listers import names_listed
from agent_exec.policy.meaning import Inner, Meaning
from agent_exec.policy.tables import Tables
from agent_exec.shell.reading import Reading, Scope, read
from agent_exec.shell.unwrap import SHELLS, ShellCall, read_call, scope_inside, unwrap

MOST_LEVELS = 16
"""Of commands inside commands; deeper ones are unknown."""
MOST_COMMANDS = 10_000
"""Of one call; what comes after them is unknown."""
_LONGEST_LISTER = 64
"""Commands of a pipeline that are asked for what it lists."""
_TOO_MANY = "too many commands, or commands in commands"


def analyse(
    commands: Sequence[Command],
    tables: Tables,
    *,
    cwd: str,
    variables: Mapping[str, str],
    known: bool = True,
) -> tuple[Analysed, ...]:
    """What `commands` do, and every command that they would run. Never raises.

    Args:
        commands: Of one call, in the order of its text.
        tables: What is known of programs.
        cwd: Where commands work that name no other directory.
        variables: The environment of the call, for shell texts inside.
        known: Is that all of it?
    """
    walk = _Walk(tables, cwd, variables, known=known)
    for command in commands:
        walk.add(command, of=None, level=0)
    return tuple(walk.found)


class _Walk:
    def __init__(
        self, tables: Tables, cwd: str, variables: Mapping[str, str], *, known: bool
    ) -> None:
        self.found: list[Analysed] = []
        self._tables = tables
        self._cwd = cwd
        self._variables = variables
        self._known = known
        self._too_many = False

    def add(self, command: Command, *, of: int | None, level: int) -> None:
        if len(self.found) >= MOST_COMMANDS:
            self._say_too_many()
            return
        index = len(self.found)
        argv, _, _, variables, files, patterns, _, _, builtin, certain, _, terminal = command
        named = argv[0].rpartition("/")[2] if argv else ""
        shell = unwrap(argv, patterns) if named in SHELLS and not builtin else None
        if shell is not None:
            self._add_shell(command, shell, of, level)
            return
        name, rest, meaning = self._meaning(command, named, of)
        effects, inside, texts, plain, closed = meaning
        if inside:
            runs = [Effect(EffectKind.EXECUTE, argv=inner.argv) for inner in inside]
            effects = (*effects, *runs)
        own = len(effects)
        around = self._around(command) if files or variables or terminal else []
        if not certain:
            around.append(Effect(EffectKind.UNKNOWN, because="only bash knows all of its words"))
        too_deep = level == MOST_LEVELS and (inside or texts)
        if too_deep:
            around.append(Effect(EffectKind.UNKNOWN, because=_TOO_MANY))
        if around:
            effects = (*effects, *around)
        analysed = (command, of, name, effects, rest, own, plain, closed)
        self.found.append(_new(Analysed, analysed))
        if too_deep:
            return
        for inner in inside:
            self.add(_inner_command(command, inner), of=index, level=level + 1)
        for text in texts:
            self._add_text(command, text, index, level)

    def _add_shell(self, command: Command, shell: ShellCall, of: int | None, level: int) -> None:
        """A shell, and the commands of its text."""
        effects = self._around(command)
        text = shell.text
        if text is None and shell.script is None and command.stdin is Source.TEXT:
            text = command.text
            shell = shell._replace(text=text)
        reading: Reading | None = None
        if shell.script is not None:
            effects.append(Effect(EffectKind.EXECUTE, shell.script, because="a script"))
        elif text is None and command.stdin is not Source.NOTHING:
            effects.append(Effect(EffectKind.EXECUTE, because="runs what its input says"))
        elif text is not None:
            reading = read_call(shell, scope_inside(self._scope(command), command))
        if shell.login:
            because = "-l runs the profile of the user"
            effects.append(Effect(EffectKind.EXECUTE, because=because))
        unclear = shell.unclear
        if command.more is not None or not command.certain:
            unclear = "words that nobody knows yet"
        if unclear is None and reading is not None and not reading.complete:
            unclear = f"not every command of its text is known: {reading.needs_bash}"
        if level == MOST_LEVELS and reading is not None:
            unclear = _TOO_MANY
        if unclear is not None:
            effects.append(Effect(EffectKind.UNKNOWN, because=unclear))
        index = len(self.found)
        self.found.append(Analysed(command, of, (shell.shell,), tuple(effects)))
        if reading is not None and level < MOST_LEVELS:
            for inner in reading.commands:
                inherited = inner._replace(variables=_both(command.variables, inner.variables))
                self.add(inherited, of=index, level=level + 1)

    def _scope(self, command: Command) -> Scope:
        variables = {**self._variables, **dict(command.variables)}
        home, cwd = variables.get("HOME"), self._cwd_of(command)
        return Scope(variables, home, cwd, known=self._known)

    def _cwd_of(self, command: Command) -> str:
        return self._cwd if command.cwd is None else os.path.join(self._cwd, command.cwd)

    def _add_text(self, outer: Command, text: str, index: int, level: int) -> None:
        reading = read(text, self._scope(outer))
        if not reading.complete:
            because = "a shell text of which not every command is known"
            self._mark(index, Effect(EffectKind.UNKNOWN, because=because))
        for command in reading.commands:
            inherited = command._replace(variables=_both(outer.variables, command.variables))
            self.add(inherited, of=index, level=level + 1)

    def _say_too_many(self) -> None:
        if not self._too_many:
            self._too_many = True
            self._mark(-1, Effect(EffectKind.UNKNOWN, because=_TOO_MANY))

    def _mark(self, index: int, effect: Effect) -> None:
        analysed = self.found[index]
        self.found[index] = analysed._replace(effects=(*analysed.effects, effect))

    def _names(self, command: Command, of: int | None) -> tuple[str, ...] | None:
        """Beneath what lie the files that a command reads the names of."""
        if command.stdin is not Source.PIPE:
            return None
        siblings: list[Analysed] = []
        for found in reversed(self.found):
            if len(siblings) == _LONGEST_LISTER:
                break
            if found.of == of:
                siblings.append(found)
        siblings.reverse()
        return names_listed(siblings)

    def _meaning(
        self, command: Command, name: str, of: int | None
    ) -> tuple[tuple[str, ...], int, Meaning]:
        if not command.argv:
            return (), 0, Meaning()  # redirections alone
        table = self._tables.get(name, builtin=command.builtin)
        if table is None and name != command.argv[0]:
            because = "a program that is named by its path, of which nobody has said more"
            effect = Effect(EffectKind.EXECUTE, command.argv[0], because=because)
            return (name,), 1, Meaning((effect,))
        if table is None:
            because = f"nobody has said what {name} does"
            return (name,), 1, Meaning((Effect(EffectKind.UNKNOWN, because=because),))
        names = None if table.language is None else self._names(command, of)
        return meaning_of(command, table, names)

    def _around(self, command: Command) -> list[Effect]:
        """Of what is no word of the program: redirections, variables, a terminal."""
        effects: list[Effect] = []
        for kind, path in command.files:
            if path != "/dev/null":
                effects.append(Effect(kind, path, because="a redirection"))
        for name, value in command.variables:
            effects += self._tables.environment.effects(name, value)
        if command.terminal:
            # Pagers, editors and prompts run what they are told to by keys.
            because = "at a terminal it does what is typed"
            effects.append(Effect(EffectKind.UNKNOWN, because=because))
        return effects


def _both(
    outer: tuple[tuple[str, str], ...], inner: tuple[tuple[str, str], ...]
) -> tuple[tuple[str, str], ...]:
    return tuple(dict.fromkeys((*outer, *inner)))


def _inner_command(outer: Command, inner: Inner) -> Command:
    return outer._replace(
        argv=inner.argv,
        program=None,
        patterns=inner.patterns,
        more=inner.more,
        variables=(*outer.variables, *inner.variables),
        cwd=outer.cwd if inner.cwd is None else os.path.join(outer.cwd or "", inner.cwd),
        files=(),
        stdin=outer.stdin if inner.stdin is None else inner.stdin,
        text=outer.text if inner.stdin is None else None,
        builtin=False,
    )
