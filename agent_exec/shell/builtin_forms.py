"""Which forms of which builtins run without bash.

The plan of a text has them; `agent_exec.shell.builtins` does them. All other builtins, and
all other forms of these, are bash's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from agent_exec.regex import regex
from agent_exec.shell.directories import may_enter, of_each_process
from agent_exec.shell.expand import Field, Scope
from agent_exec.shell.names import check_export
from agent_exec.shell.needs_bash import NeedsBash

# Of bash 5.3 and all before it that are in use.
ALWAYS_BASH = frozenset(
    {
        *(".", "alias", "bg", "bind", "break", "builtin", "caller", "compgen"),
        *("complete", "compopt", "continue", "declare", "dirs", "disown", "enable", "eval"),
        *("exec", "fc", "fg", "getopts", "hash", "help", "history", "jobs", "kill", "let"),
        *("local", "logout", "mapfile", "popd", "pushd", "read", "readarray", "readonly"),
        *("return", "set", "shift", "shopt", "source", "suspend", "times", "trap", "type"),
        *("typeset", "ulimit", "umask", "unalias", "unset", "wait"),
    }
)

_UNARY_TESTS = frozenset(f"-{letter}" for letter in "bcdefghknprsuwxzLOGSN")
_COMPARISONS = frozenset({"-eq", "-ne", "-lt", "-le", "-gt", "-ge"})
_EQUALITIES = frozenset({"=", "==", "!="})
_BASH_COMPARISONS = frozenset({"<", ">", "=~", "-a", "-o", "-ef", "-nt", "-ot"})
_INTEGER = regex(r"[+-]?[0-9]{1,18}")
_PLAIN_INTEGER = regex(r"[+-]?(?:0|[1-9][0-9]{0,17})")
_NATURAL = regex(r"(?:0|[1-9][0-9]{0,17})")
_EXIT_STATUS = regex(r"-?[0-9]{1,9}")
_ECHO_OPTION = regex(r"-[neE]+")
_ODD_ESCAPE = regex(r"(?s)(?:[^\\]|\\[^uU])*\\[uU]")
_EXPORT = regex(r"([A-Za-z_][A-Za-z0-9_]*)(?:=(.*))?", re.DOTALL)
_CONVERSION = regex(
    r"%(?:%|([-+ 0#]*)([1-9][0-9]{0,2})?(\.[0-9]{0,2})?([sdiuxXoc]))"
    r"|\\(?:[abefnrtv\\'\"?]|[0-7]{1,3}|x[0-9A-Fa-f]{1,2})"
    r"|[^%\\]+",
    re.DOTALL,
)


def is_builtin(name: str) -> bool:
    """Does bash do `name` itself?"""
    return name in _FORMS or name in ALWAYS_BASH


def check_builtin(fields: Sequence[Field], scope: Scope) -> None:
    """Refuse what we do not do exactly as bash does it. `fields`: the name and its arguments.

    Raises:
        NeedsBash: Another builtin, or another form of this one.
    """
    name = fields[0].text
    check = _FORMS.get(name)
    if check is None:
        raise NeedsBash(f"the builtin {name}", 0)
    check(fields[1:], scope)


def _anything(_arguments: Sequence[Field], _scope: Scope) -> None:
    pass


def _echo(arguments: Sequence[Field], _scope: Scope) -> None:
    escapes = False
    for index, argument in enumerate(arguments):
        text = argument.text
        if not argument.is_pattern:
            if not _ECHO_OPTION.fullmatch(text):
                break
            for letter in text[1:]:
                escapes = letter == "e" if letter in "eE" else escapes
        for later in arguments[index + 1 :]:
            # A file that a pattern matches may be called like an option.
            odd = (escapes or argument.is_pattern) and _ODD_ESCAPE.match(later.text)
            if odd or (escapes and later.is_pattern):
                raise NeedsBash("echo -e with file names, or characters of the locale", 0)
        if argument.is_pattern:
            break


def _cd(arguments: Sequence[Field], scope: Scope) -> None:
    words = _literals("cd", arguments)
    if words[:1] == ["--"]:
        words = words[1:]
    elif words and words[0].startswith("-"):
        raise NeedsBash("an option of cd", 0)
    # Of several it says that they are too many, whatever they are.
    target = words[0] if words else scope.variables.get("HOME", "")
    if len(words) < 2 and (not may_enter(target) or of_each_process(scope.cwd, target)):
        raise NeedsBash("cd to an odd directory", 0)


def _pwd(arguments: Sequence[Field], _scope: Scope) -> None:
    if _literals("pwd", arguments) not in ([], ["-L"], ["-P"]):
        raise NeedsBash("an odd form of pwd", 0)


def _command(arguments: Sequence[Field], scope: Scope) -> None:
    option, *names = _literals("command", arguments) or [""]
    if option != "-v" or not names or any(not name or name[0] in "-%" for name in names):
        raise NeedsBash("command, but for command -v", 0)
    if any(not folder.startswith("/") for folder in scope.variables.get("PATH", "").split(":")):
        raise NeedsBash("a PATH that depends on the directory", 0)


def _exit(arguments: Sequence[Field], _scope: Scope) -> None:
    if not arguments or (len(arguments) == 1 and _is_number(arguments[0], _EXIT_STATUS)):
        return
    raise NeedsBash("an odd form of exit", 0)


def _export(arguments: Sequence[Field], scope: Scope) -> None:
    if not arguments:
        raise NeedsBash("export without a variable", 0)
    for text in _literals("export", arguments):
        found = _EXPORT.fullmatch(text)
        if found is None:
            raise NeedsBash("an odd form of export", 0)
        name, value = found.groups()
        if value is None and name not in scope.variables:
            raise NeedsBash("export of a variable that is not set", 0)
        check_export(name, value or "")


def _printf(arguments: Sequence[Field], _scope: Scope) -> None:
    if arguments and _text(arguments[0]) == "--":
        arguments = arguments[1:]
    if not arguments:
        raise NeedsBash("printf without a format", 0)
    form, *values = arguments
    text = _text(form)
    if text is None or text.startswith("-"):
        raise NeedsBash("printf with an option, or a format that is not written out", 0)
    conversions: list[tuple[str, bool]] = []
    at = 0
    while at < len(text):
        found = _CONVERSION.match(text, at)
        if found is None:
            raise NeedsBash("an odd format of printf", 0)
        at = found.end()
        flags, width, precision, letter = found.groups()
        if letter:
            _check_conversion(flags, precision, letter)
            conversions.append((letter, bool(width or precision)))
    _check_values(values, conversions)


def _check_conversion(flags: str, precision: str | None, letter: str) -> None:
    allowed = "-" if letter in "sc" else "-+ 0" if letter in "di" else "-0#"
    if any(flag not in allowed for flag in flags) or (precision and letter != "s"):
        raise NeedsBash("an odd conversion of printf", 0)


def _check_values(values: Sequence[Field], conversions: Sequence[tuple[str, bool]]) -> None:
    if not conversions:
        return
    if any(value.is_pattern for value in values) and conversions != [("s", False)]:
        raise NeedsBash("printf of file names", 0)
    for index, value in enumerate(values):
        letter, measured = conversions[index % len(conversions)]
        if letter == "s":
            fits = value.text.isascii() or not measured
        elif letter == "c":
            fits = value.text.isascii() and value.text != ""
        elif letter in "di":
            fits = _is_number(value, _PLAIN_INTEGER)
        else:
            fits = _is_number(value, _NATURAL)
        if not fits:
            raise NeedsBash("an argument of printf that is not of its kind", 0)
    whole = bool(values) and len(values) % len(conversions) == 0
    if any(letter == "c" for letter, _ in conversions) and not whole:
        raise NeedsBash("printf of a character that is not there", 0)


def _bracket(arguments: Sequence[Field], scope: Scope) -> None:
    if not arguments or _text(arguments[-1]) != "]":
        raise NeedsBash("a test without its bracket", 0)
    _test(arguments[:-1], scope)


def _test(arguments: Sequence[Field], scope: Scope) -> None:
    if any(argument.is_pattern for argument in arguments):
        raise NeedsBash("a pattern in a test", 0)
    words = [argument.text for argument in arguments]
    if len(words) == 4 and words[0] == "!":
        _binary(arguments[1:])
    elif len(words) == 3 and words[1] in _BASH_COMPARISONS:
        raise NeedsBash("an odd comparison in a test", 0)
    elif len(words) == 3 and (words[1] in _EQUALITIES or words[1] in _COMPARISONS):
        _binary(arguments)
    elif len(words) == 3 and words[0] == "!":
        _unary(words[1:], scope)
    elif len(words) == 2 and words[0] != "!":
        _unary(words, scope)
    elif len(words) > 2:
        raise NeedsBash("a test of many words", 0)


def _binary(arguments: Sequence[Field]) -> None:
    left, operator, right = arguments
    if operator.text in _EQUALITIES:
        return
    if operator.text not in _COMPARISONS:
        raise NeedsBash("an odd comparison in a test", 0)
    if not (_is_number(left, _INTEGER) and _is_number(right, _INTEGER)):
        raise NeedsBash("a comparison of what are no plain numbers", 0)


def _unary(words: Sequence[str], scope: Scope) -> None:
    operator, operand = words
    if operator not in _UNARY_TESTS:
        raise NeedsBash("an odd question of a test", 0)
    if operator not in ("-n", "-z") and of_each_process(scope.cwd, operand):
        raise NeedsBash("a file that is another one for each process", 0)


def _is_number(field: Field, form: re.Pattern[str]) -> bool:
    """Of that form now; or the status of a command, and nothing beside it."""
    if field.later:
        return field.text == "$?"
    return not field.is_pattern and form.fullmatch(field.text) is not None


def _text(field: Field) -> str | None:
    """What a field surely is when the command runs."""
    return None if field.later or field.is_pattern else field.text


def _literals(name: str, arguments: Sequence[Field]) -> list[str]:
    words = [_text(argument) for argument in arguments]
    known = [word for word in words if word is not None]
    if len(known) < len(words):
        raise NeedsBash(f"arguments of {name} that only the run tells", 0)
    return known


_FORMS: dict[str, Callable[[Sequence[Field], Scope], None]] = {
    ":": _anything,
    "[": _bracket,
    "cd": _cd,
    "command": _command,
    "echo": _echo,
    "exit": _exit,
    "export": _export,
    "false": _anything,
    "printf": _printf,
    "pwd": _pwd,
    "test": _test,
    "true": _anything,
}
