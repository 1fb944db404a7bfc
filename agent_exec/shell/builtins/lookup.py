"""command -v."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from agent_exec.shell.builtin_forms import is_builtin
from agent_exec.shell.builtins.state import Done, Places, ShellState

_KEYWORDS = frozenset(
    {
        *("!", "[[", "]]", "case", "coproc", "do", "done", "elif", "else", "esac", "fi", "for"),
        *("function", "if", "in", "select", "then", "time", "until", "while", "{", "}"),
    }
)


def look_up(words: Sequence[str], state: ShellState, places: Places) -> Done:
    """``command -v NAME ...``: what bash would run for each name; names of nothing are left out."""
    found = [each for each in (_found(name, state, places) for name in words[1:]) if each]
    lines = "".join([f"{each}\n" for each in found])
    return Done(state, 0 if found else 1, os.fsencode(lines))


def _found(name: str, state: ShellState, places: Places) -> str | None:
    if name in _KEYWORDS or is_builtin(name):
        return name
    if "/" in name:
        return name if _is_program(os.path.join(state.here, name), places) else None
    if name in state.remembered:
        return state.remembered[name]
    # bash would rather have one that can be executed, but takes the first file at the end.
    other = None
    for folder in state.variables["PATH"].split(":"):
        path = f"{folder}{name}" if folder.endswith("/") else f"{folder}/{name}"
        if _is_program(path, places):
            return path
        if other is None and places.status(path, follow=True) is not None:
            other = path
    return other if other is not None and not _is_folder(other, places) else None


def _is_program(path: str, places: Places) -> bool:
    return places.access(path, os.X_OK) and not _is_folder(path, places)


def _is_folder(path: str, places: Places) -> bool:
    status = places.status(path, follow=True)
    return status is not None and stat.S_ISDIR(status.st_mode)
