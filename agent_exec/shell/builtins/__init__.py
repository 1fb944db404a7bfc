"""The builtins of a shell that run without one. Pure: words and a state to what they do.

Only the forms that `agent_exec.shell.builtin_forms` lets through come here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from agent_exec.shell.builtins.lookup import look_up
from agent_exec.shell.builtins.places import change_directory, print_directory
from agent_exec.shell.builtins.question import bracket, question
from agent_exec.shell.builtins.state import Done, Places, ShellState
from agent_exec.shell.builtins.text import echo, printf
from agent_exec.shell.builtins.variables import export

Builtin = Callable[[Sequence[str], ShellState, Places], Done]


def _succeed(_words: Sequence[str], state: ShellState, _places: Places) -> Done:
    return Done(state, 0)


def _fail(_words: Sequence[str], state: ShellState, _places: Places) -> Done:
    return Done(state, 1)


def _leave(words: Sequence[str], state: ShellState, _places: Places) -> Done:
    status = int(words[0]) & 0xFF if words else state.status
    return Done(state, status, ends=True)


BUILTINS: Mapping[str, Builtin] = {
    ":": _succeed,
    "[": bracket,
    "cd": change_directory,
    "command": look_up,
    "echo": echo,
    "exit": _leave,
    "export": export,
    "false": _fail,
    "printf": printf,
    "pwd": print_directory,
    "test": question,
    "true": _succeed,
}
"""By name: (words after the name, state, places) -> what it did."""
