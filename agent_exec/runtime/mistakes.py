"""Shell syntax among the words of an argv, where no shell will see it.

A program is given its words verbatim, so a ``|`` is only taken for a mistake where what
follows it is a program: ``cut -d | -f1`` is none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agent_exec.errors import InvalidCall
from agent_exec.regex import regex

_PIPES = frozenset({"|", "|&"})
_JOINTS = _PIPES | {"&&", "||", ";"}
_REDIRECTION = regex(r"(?:[0-9]?|&)>>?(?:&[0-9-]|/dev/null)")


def refuse_shell_syntax(argv: Sequence[str], is_program: Callable[[str], bool]) -> None:
    """Refuse an argv that was meant for a shell.

    Args:
        argv: At least one word.
        is_program: Whether a word names one.

    Raises:
        InvalidCall: It was; the message has the corrected call.
    """
    joints = [
        index
        for index, word in enumerate(argv[1:-1], 1)
        if word in _JOINTS and is_program(argv[index + 1])
    ]
    redirections = [word for word in argv[1:] if _is_redirection(word)]
    if not joints and not redirections:
        return
    found = ", ".join(dict.fromkeys([*(argv[index] for index in joints), *redirections]))
    raise InvalidCall(f"no shell sees {found} in argv; {_advice(argv, joints, redirections)}")


def split_line(line: str) -> list[str]:
    """The words of `line` as a shell would split it; only `line` where it would not."""
    import shlex  # noqa: PLC0415 - for a mistake only

    try:
        return shlex.split(line) or [line]
    except ValueError:
        return [line]


def _is_redirection(word: str) -> bool:
    return ">" in word and _REDIRECTION.fullmatch(word) is not None


def _advice(argv: Sequence[str], joints: list[int], redirections: list[str]) -> str:
    bounds = zip([-1, *joints], [*joints, len(argv)], strict=True)
    commands = [
        [word for word in argv[before + 1 : end] if not _is_redirection(word)]
        for before, end in bounds
    ]
    aside = "stdout and stderr are captured each for itself; " if redirections else ""
    if not joints:
        return f"{aside}send argv {commands[0]!r}"
    if _PIPES.issuperset(argv[index] for index in joints):
        return f"{aside}send pipeline {commands!r}"
    calls = ", then ".join(f"argv {command!r}" for command in commands)
    return f"{aside}send one call after the other: {calls}"
