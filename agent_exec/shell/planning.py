"""A script to the commands it would run, as far as that is known before any of them has.

A walk over what may happen. Where a ``cd`` may fail and the text goes on, the commands behind
it may run in two directories; they are listed for both, and so are judged for both.
"""

from __future__ import annotations

from collections.abc import Mapping

from agent_exec.model.effect import EffectKind
from agent_exec.model.request import Command, FileUse, Source
from agent_exec.model.script import (
    Item,
    Joint,
    Kind,
    Operator,
    Piece,
    Script,
    SimpleCommand,
    has_pattern,
)
from agent_exec.named_tuple import NamedTuple
from agent_exec.shell.builtin_forms import check_builtin, is_builtin
from agent_exec.shell.directories import logical, of_each_process
from agent_exec.shell.expand import UNKNOWN_STATUS, Field, Scope, as_written, expand, expand_all
from agent_exec.shell.glob import check_patterns
from agent_exec.shell.names import check_prefix
from agent_exec.shell.needs_bash import NeedsBash

# More directories or environments in which one command may run: nobody overlooks them.
_MOST_PLACES = 8
_MOST_EXPORTS = 100
# What these do is the same wherever they do it.
_SAME_EVERYWHERE = frozenset({":", "echo", "exit", "export", "false", "printf", "pwd", "true"})

# GNU parallel runs its jobs by the shell that it finds among the processes that started it.
_LOOKS_FOR_ITS_SHELL = frozenset({"parallel", "sem"})

_NO_PATTERNS: frozenset[int] = frozenset()
_SUCCESS = 1
_FAILURE = 2

_READ = (EffectKind.READ,)
_WRITE = (EffectKind.WRITE,)
FILE_USES = {
    Operator.READ: _READ,
    Operator.READ_WRITE: (*_READ, *_WRITE),
    Operator.WRITE: _WRITE,
    Operator.CLOBBER: _WRITE,
    Operator.APPEND: _WRITE,
    Operator.WRITE_BOTH: _WRITE,
    Operator.APPEND_BOTH: _WRITE,
}
_FOR_TWO = frozenset({Operator.WRITE_BOTH, Operator.APPEND_BOTH})
_INPUTS = frozenset({Operator.READ, Operator.READ_WRITE})
_UNCHANGED = frozenset({Kind.PLAIN, Kind.QUOTED})
_EXPORT_WORD = (Piece(Kind.PLAIN, "export"),)
_BY_BASH_ITSELF = ("/dev/tcp/", "/dev/udp/")

_Variables = tuple[tuple[str, str], ...]


class _Place(NamedTuple):
    """What ``cd`` and ``export`` have made so far."""

    cwd: str
    exported: _Variables


class _Ended(NamedTuple):
    """How the last pipeline may have ended: with success, failure, or both; its status."""

    ways: int
    status: int | None


class _Input(NamedTuple):
    """The standard input of a command before its own redirections."""

    stdin: Source
    text: str | None


_EITHER = _Ended(_SUCCESS | _FAILURE, None)
_TRUE = _Ended(_SUCCESS, 0)
_FALSE = _Ended(_FAILURE, 1)
_FROM_PIPE = _Input(Source.PIPE, None)
_ALWAYS = Joint.ALWAYS
_TEXT = Source.TEXT


def plan(script: Script, scope: Scope) -> tuple[Command, ...]:
    """Every command of `script`, in the order of the text; `program` is not filled in.

    One behind a ``cd`` that may have failed stands there once for each directory. One that
    nothing reaches is there all the same. A redirection alone is the builtin ``:``.

    Raises:
        NeedsBash: Something that only bash does, or that only the run tells.
    """
    return _Walk(scope).commands(script)


class _Walk:
    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._states = {_Place(scope.cwd, scope.exported): _Ended(_SUCCESS, scope.status)}
        self._commands: list[Command] = []

    def commands(self, script: Script) -> tuple[Command, ...]:
        for index, item in enumerate(script.items):
            self._item(item, self._input(first=index == 0))
        return tuple(self._commands)

    def _input(self, *, first: bool) -> _Input:
        """That of the text: a second command gets what the first has left of it."""
        if first or self._scope.stdin is not _TEXT:
            return _Input(self._scope.stdin, self._scope.text)
        return _FROM_PIPE

    def _item(self, item: Item, given: _Input) -> None:
        """List the commands of one pipeline, and find what may be afterwards."""
        running: list[tuple[_Place, int | None]] = []
        passing: list[tuple[_Place, _Ended]] = []
        for place, ended in self._states.items():
            ways, status = _runs_after(item.joint, ended)
            if ways:
                running.append((place, status))
            if ended.ways & ~ways:
                passing.append((place, _Ended(ended.ways & ~ways, ended.status)))
        if not running:
            # Behind an `exit`, or `true ||`: it does not run, and is listed all the same.
            self._pipeline(item, [(place, None) for place in self._states], given)
            return
        after: dict[_Place, _Ended] = {}
        for place, ended in (*self._pipeline(item, running, given), *passing):
            before = after.get(place)
            after[place] = ended if before is None else _either(before, ended)
        if len(after) > _MOST_PLACES:
            raise NeedsBash("too many directories in which a command may run", 0)
        if after:
            self._states = after
        else:
            self._states = {place: _Ended(0, None) for place in self._states}

    def _pipeline(
        self, item: Item, running: list[tuple[_Place, int | None]], given: _Input
    ) -> list[tuple[_Place, _Ended]]:
        pipeline = item.pipeline
        scopes = [self._scope_at(place, status) for place, status in running]
        alone = len(pipeline.commands) == 1
        last: list[Command | None] = []
        for simple in pipeline.commands:
            last = [_command(simple, scope, given, alone=alone) for scope in scopes]
            self._list(last)
            given = _FROM_PIPE
        outcomes: list[tuple[_Place, _Ended]] = []
        for (place, _), scope, command in zip(running, scopes, last, strict=True):
            if alone:
                outcomes += _outcomes(command, pipeline.commands[-1], place, scope)
            else:
                # Each stage is a shell of its own: what it changes ends with it.
                outcomes.append((place, _EITHER))
        if pipeline.negated:
            return [(place, _negated(ended)) for place, ended in outcomes]
        return outcomes

    def _list(self, commands: list[Command | None]) -> None:
        """One command of the text, as it is in each place."""
        if len(commands) == 1:
            self._commands += filter(None, commands)
            return
        listed: list[Command] = []
        for command in commands:
            if command is None:
                continue
            anywhere = command.builtin and command.argv[0] in _SAME_EVERYWHERE
            if (
                anywhere
                and not command.files
                and any(command.argv == other.argv for other in listed)
            ):
                continue
            listed.append(command)
        self._commands += listed

    def _scope_at(self, place: _Place, status: int | None) -> Scope:
        scope = self._scope
        if (place.cwd, place.exported, status) == (scope.cwd, scope.exported, scope.status):
            return scope
        variables = scope.variables
        if place.exported:
            variables = {**variables, **dict(place.exported)}
        return scope._replace(
            variables=variables, cwd=place.cwd, status=status, exported=place.exported
        )


def _runs_after(joint: Joint, ended: _Ended) -> tuple[int, int | None]:
    """Of the ways in which the last pipeline may have ended, those after which the next runs."""
    if joint is _ALWAYS:
        return ended
    if joint is Joint.AND:
        return ended.ways & _SUCCESS, 0
    return ended.ways & _FAILURE, ended.status


def _either(one: _Ended, other: _Ended) -> _Ended:
    status = one.status if one.status == other.status else None
    return _Ended(one.ways | other.ways, status)


def _negated(ended: _Ended) -> _Ended:
    match ended.ways:
        case 1:
            return _FALSE
        case 2:
            return _TRUE
        case _:
            return _EITHER


def _outcomes(
    command: Command | None, simple: SimpleCommand, place: _Place, scope: Scope
) -> list[tuple[_Place, _Ended]]:
    """What a command, alone in its pipeline, may leave behind."""
    if command is None:
        return [(place, _TRUE)]
    if not command.builtin:
        return [(place, _EITHER)]
    failed = [(place, _FALSE)] if simple.redirections else []
    match command.argv:
        case ("cd", *words):
            if words[:1] == ["--"]:
                words = words[1:]
            if len(words) > 1:
                return [(place, _FALSE)]
            target = words[0] if words else scope.variables["HOME"]
            entered = _Place(logical(place.cwd, target).end, place.exported)
            return [(entered, _TRUE), (place, _FALSE)]
        case ("export", *words):
            exported = dict(place.exported)
            if len(exported) + len(words) > _MOST_EXPORTS:
                raise NeedsBash("very many exports", 0)
            for word in words:
                name, equals, value = word.partition("=")
                if equals:
                    exported[name] = value
            made = place._replace(exported=tuple(sorted(exported.items())))
            return [(made, _TRUE), *failed]
        case ("exit", *_):
            return failed
        case ("true" | ":", *_):
            return [(place, _TRUE), *failed]
        case ("false", *_):
            return [(place, _FALSE)]
        case _:
            return [(place, _EITHER)]


def _command(simple: SimpleCommand, scope: Scope, given: _Input, *, alone: bool) -> Command | None:
    """One command as it would run there; None when nothing of it is left."""
    written = _plain_argv(simple)
    if written is not None:
        (stdin, text), cwd = given, scope.cwd
        return Command(written, None, cwd, scope.exported, (), _NO_PATTERNS, stdin, text)
    fields = expand_all(simple.words, scope)
    if simple.assignments and not fields:
        raise NeedsBash("an assignment to a variable of the shell", 0)
    variables = scope.exported
    builtin = False
    patterns = _NO_PATTERNS
    if fields:
        argv = tuple([field.text for field in fields])
        builtin = is_builtin(argv[0])
        together = "".join(argv)
        if has_pattern(together) or UNKNOWN_STATUS in together:
            # What a builtin that we do makes of a number is the same for every number.
            patterns = frozenset(
                index
                for index, field in enumerate(fields)
                if field.is_pattern or (field.later and not builtin)
            )
            check_patterns(fields, scope)
        if builtin:
            _check_builtin(simple, fields, scope)
        elif not _LOOKS_FOR_ITS_SHELL.isdisjoint(argv):
            raise NeedsBash("a program that looks for the shell that started it", 0)
        if simple.assignments:
            variables = (*variables, *_prefix(simple, scope))
    elif simple.redirections:
        # Where the file of such an input is not there, bash has the status 0 in a pipeline.
        if not alone and any(
            fd == 0 and operator in _INPUTS for fd, operator, _ in simple.redirections
        ):
            raise NeedsBash("an input without a command, in a pipeline", 0)
        argv, builtin = (":",), True
    else:
        return None
    if not simple.redirections:
        return Command(
            argv, None, scope.cwd, variables, (), patterns, given.stdin, given.text, builtin
        )
    files, (stdin, text) = _redirected(simple, scope, given)
    return Command(argv, None, scope.cwd, variables, files, patterns, stdin, text, builtin)


def _plain_argv(simple: SimpleCommand) -> tuple[str, ...] | None:
    """That of a program and its words, as most are: no other step would change or refuse it."""
    assignments, words, redirections, *_ = simple
    if assignments or redirections:
        return None
    argv = as_written(words)
    if not argv or is_builtin(argv[0]) or argv[0][:1] == "%":
        return None
    together = "".join(argv)
    if has_pattern(together) or UNKNOWN_STATUS in together:
        return None
    return tuple(argv) if _LOOKS_FOR_ITS_SHELL.isdisjoint(argv) else None


def _check_builtin(simple: SimpleCommand, fields: list[Field], scope: Scope) -> None:
    if simple.assignments:
        raise NeedsBash("an assignment before a builtin", 0)
    if fields[0].text == "export" and simple.words[0].pieces != _EXPORT_WORD:
        raise NeedsBash("a quoted export", 0)
    check_builtin(fields, scope)


def _prefix(simple: SimpleCommand, scope: Scope) -> _Variables:
    """The variables that are set for this command only. Later ones see earlier ones."""
    made: list[tuple[str, str]] = []
    variables: Mapping[str, str] = scope.variables
    for name, value in simple.assignments:
        field = expand(value, scope._replace(variables=variables)) if value.pieces else None
        if field is not None and field.later:
            raise NeedsBash("a variable whose value only the run tells", 0)
        text = "" if field is None else field.text
        check_prefix(name, text)
        if name == "HOME" and len(simple.assignments) > 1:
            raise NeedsBash("an assignment to HOME among others", 0)
        variables = {**variables, name: text}
        made.append((name, text))
    return tuple(made)


def _redirected(
    simple: SimpleCommand, scope: Scope, given: _Input
) -> tuple[tuple[FileUse, ...], _Input]:
    files: list[FileUse] = []
    stdin = given
    for fd, operator, word in simple.redirections:
        if operator in (Operator.DUPLICATE_OUT, Operator.DUPLICATE_IN):
            if fd == 0 and word.literal != "0":
                stdin = _Input(Source.OPEN, None)
            continue
        named = any(kind not in _UNCHANGED for kind, _ in word.pieces)
        if named and simple.assignments:
            raise NeedsBash("a redirection that may see the assignments before it", 0)
        field = expand(word, scope)
        if field is not None and field.later:
            raise NeedsBash("a redirection that only the run tells", 0)
        target = "" if field is None else field.text
        if operator is Operator.HERE_DOCUMENT or operator is Operator.HERE_STRING:
            ending = "\n" if operator is Operator.HERE_STRING else ""
            if fd == 0:
                stdin = _Input(Source.TEXT, target + ending)
            continue
        if target == "/dev/null":
            if fd == 0 and operator not in _FOR_TWO:
                stdin = _Input(Source.NOTHING, None)
            continue
        if not target or target.startswith(_BY_BASH_ITSELF):
            raise NeedsBash("a redirection to nothing, or to a file that bash makes up", 0)
        if of_each_process(scope.cwd, target):
            raise NeedsBash("a file that is another one for each process", 0)
        files += [FileUse(kind, target) for kind in FILE_USES[operator]]
        if fd == 0 and operator not in _FOR_TWO:
            stdin = _Input(Source.FILE, None)
    return tuple(files), stdin
