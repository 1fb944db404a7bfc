"""The argument vector of a shell to the text that it would run: ``bash -lc TEXT``.

Every level of wrapping is judged by what is inside; and what bash, or a `sh` that agrees with
it, would run is run without it where that is exact.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent_exec.model.request import Command
from agent_exec.named_tuple import NamedTuple
from agent_exec.regex import regex
from agent_exec.shell.needs_bash import NeedsBash
from agent_exec.shell.reading import Reading, Scope, read

_POSIX_SHELLS = frozenset({"sh", "dash", "ash"})
SHELLS = frozenset({"bash", "rbash", "zsh", "ksh", "ksh93", "mksh", "fish"}) | _POSIX_SHELLS
"""The names of programs that run text."""

# By the letter and the name after -o; of those that a text is read the same with.
_LETTERS = {
    "b": "notify",
    "C": "noclobber",
    "e": "errexit",
    "E": "errtrace",
    "f": "noglob",
    "m": "monitor",
    "n": "noexec",
    "T": "functrace",
    "u": "nounset",
    "v": "verbose",
    "x": "xtrace",
}
_NAMES = frozenset({*_LETTERS.values(), "nolog", "pipefail"})
_NO_DIFFERENCE = frozenset({"B", "h", "p"})
_LONG_NO_DIFFERENCE = frozenset({"norc", "noprofile", "noediting"})
_LONG_OTHERS = frozenset(
    {
        *("debug", "debugger", "dump-po-strings", "dump-strings", "help", "posix"),
        *("pretty-print", "protected", "restricted", "verbose", "version", "wordexp"),
    }
)
_LONG_WITH_VALUE = frozenset({"rcfile", "init-file"})
# Where a text has one of these, dash may make other commands of it than bash.
_READ_OTHERWISE = regex(r"[{}]|&>|\|&|<<<|\$['\"]|[=:]~|\\\n")
_SAME_BRACES = regex(r"\{\}|\$\{[A-Za-z_][A-Za-z0-9_]*\}")
# ... or do something else: its messages, its echo and the order of files are its own.
_DONE_OTHERWISE = regex(r"[\[\]*?~\\]|<<")
_DONE_BY_BOTH = frozenset({":", "echo", "exit", "false", "true"})
_SMALL_NUMBER = regex(r"[0-9]{1,3}|\$\?")


class ShellCall(NamedTuple):
    """What a shell is told to run: `text`, else the file `script`, else its standard input."""

    shell: str
    """The last part of its name."""
    text: str | None
    script: str | None
    parameters: tuple[str, ...] | None
    """``$0`` and what follows it, for the text; None where more words will follow."""
    options: frozenset[str]
    """Of ``set -o``, those that are on and change what happens."""
    login: bool
    """It would read the profile of the user first. We do not, and say so."""
    unclear: str | None
    """An option that changes how text is read, or one that we do not know."""


def unwrap(argv: Sequence[str], patterns: frozenset[int] = frozenset()) -> ShellCall | None:
    """What a shell would run; None when `argv` calls no shell.

    `patterns` are the words that stand for any number of words, as a `Command` has them.
    """
    name = argv[0].rpartition("/")[2] if argv else ""
    if name not in SHELLS:
        return None
    call = _Words(name, argv).call()
    if patterns:
        return call._replace(unclear=f"words of {name} that only the run tells", parameters=None)
    return call


def scope_inside(scope: Scope, command: Command) -> Scope:
    """What the text of a shell may name; `command` is the shell's own, read in `scope`."""
    own = dict(command.variables)
    return scope._replace(
        variables={**scope.variables, **own},
        home=own.get("HOME", scope.home),
        cwd=command.cwd or scope.cwd,
        status=0,
        stdin=command.stdin,
        text=command.text,
        exported=command.variables,
    )


def read_call(call: ShellCall, scope: Scope) -> Reading:
    """Read the text of `call` as `read` does, with a scope from `scope_inside`.

    The script is there only where running it is exactly what the shell would do. The
    commands may all be known nevertheless: then `complete` is true.
    """
    if call.text is None:
        return Reading(None, "the text is in a file, or comes from the input", (), complete=False)
    reading = read(call.text, scope._replace(parameters=call.parameters))
    unsure = _why_unsure(call, reading)
    if unsure is not None:
        commands = tuple(command._replace(certain=False) for command in reading.commands)
        return Reading(None, unsure, commands, complete=False)
    try:
        _check_same(call, reading)
    except NeedsBash as needs:
        return reading._replace(script=None, needs_bash=needs.reason)
    return reading


def _why_unsure(call: ShellCall, reading: Reading) -> str | None:
    """Why its shell may make other commands of the text than bash without options."""
    if call.unclear is not None:
        return call.unclear
    if call.shell == "bash":
        return None
    if call.shell not in _POSIX_SHELLS:
        return f"{call.shell} reads text in its own way"
    several = any(len(argv) > 2 and argv[0] == "cd" for argv, *_ in reading.commands)
    if several or _READ_OTHERWISE.search(_SAME_BRACES.sub("", call.text or "")):
        return f"{call.shell} may read this text otherwise than bash"
    return None


def _check_same(call: ShellCall, reading: Reading) -> None:
    """Refuse what its shell does otherwise than bash without options.

    Raises:
        NeedsBash: So it may be.
    """
    script = reading.script
    if script is None:
        return
    for option in call.options:
        if option != "errexit" or len(script.items) > 1:
            raise NeedsBash(f"the option {option} of {call.shell}", 0)
    if call.shell == "bash":
        return
    if call.shell == "ash" or _DONE_OTHERWISE.search(call.text or ""):
        raise NeedsBash(f"what {call.shell} does otherwise than bash", 0)
    for command in reading.commands:
        if command.files or (command.builtin and not _is_done_by_both(command.argv)):
            raise NeedsBash(f"what {call.shell} does otherwise than bash", 0)


def _is_done_by_both(argv: Sequence[str]) -> bool:
    """Does dash do with these words of a builtin what bash does?"""
    name, *words = argv
    if name == "echo":
        return not any(word.startswith("-") for word in words[:1]) and not any(
            "\\" in word for word in words
        )
    if name == "exit":
        return all(_SMALL_NUMBER.fullmatch(word) for word in words)
    return name in _DONE_BY_BOTH


class _Words:
    """The words of a shell, from left to right."""

    def __init__(self, shell: str, argv: Sequence[str]) -> None:
        self._shell = shell
        self._own, *self._words = argv
        self._options: set[str] = set()
        self._login = False
        self._text_follows = False
        self._from_input = False
        self._unclear: str | None = None

    def call(self) -> ShellCall:
        self._long_options()
        while self._words and self._words[0][:1] in ("-", "+"):
            word = self._words.pop(0)
            if word in ("-", "--"):
                break
            if len(word) == 1:
                self._unclear = f"the word {word}"
            for letter in word[1:]:
                self._letter(word[0], letter)
        text: str | None = None
        script: str | None = None
        parameters = tuple(self._words)
        if self._text_follows:
            if parameters:
                text, *rest = parameters
                parameters = tuple(rest) or (self._own,)
            else:
                self._unclear = "-c without a text"
        elif parameters and not self._from_input:
            script = parameters[0]
        else:
            parameters = (self._own, *parameters)
        return ShellCall(
            self._shell,
            text,
            script,
            parameters,
            frozenset(self._options),
            self._login,
            self._unclear,
        )

    def _long_options(self) -> None:
        """bash takes them with one dash, too, and only before all others."""
        while self._shell == "bash" and self._words and self._words[0].startswith("-"):
            word = self._words[0]
            name = word[1:].removeprefix("-")
            if name == "login":
                self._login = True
            elif name in _LONG_WITH_VALUE:
                self._unclear = f"the option {word}"
                del self._words[1:2]
            elif name in _LONG_OTHERS or (word.startswith("--") and name):
                if name not in _LONG_NO_DIFFERENCE:
                    self._unclear = f"the option {word}"
            elif name not in _LONG_NO_DIFFERENCE:
                return
            del self._words[0]

    def _letter(self, sign: str, letter: str) -> None:
        on = sign == "-"
        if letter == "c" and on:
            self._text_follows = True
        elif letter == "l" and on:
            self._login = True
        elif letter == "s" and on:
            self._from_input = True
        elif letter == "o" and self._words:
            self._switch(self._words.pop(0), on=on)
        elif letter in _LETTERS:
            self._switch(_LETTERS[letter], on=on)
        elif letter not in _NO_DIFFERENCE or not on:
            self._unclear = f"the option {sign}{letter}"
            if letter == "O":
                del self._words[:1]

    def _switch(self, name: str, *, on: bool) -> None:
        if name not in _NAMES:
            self._unclear = f"the option {name}"
        elif on:
            self._options.add(name)
        else:
            self._options.discard(name)
