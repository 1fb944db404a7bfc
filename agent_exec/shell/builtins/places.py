"""cd and pwd."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from agent_exec.shell.builtins.state import Done, Places, ShellState
from agent_exec.shell.directories import logical
from agent_exec.shell.message_names import shown_name


def change_directory(words: Sequence[str], state: ShellState, places: Places) -> Done:
    """``cd``, ``cd DIR``, ``cd -- DIR``."""
    if words[:1] == ["--"]:
        words = words[1:]
    if len(words) > 1:
        return Done(state, 1, error="cd: too many arguments")
    target = words[0] if words else state.variables["HOME"]
    way = logical(state.cwd, target)
    error = 0
    if all(_is_folder(each, places) for each in (*way.taken_back, way.end)):
        error = places.enter(way.end)
        if not error:
            return _entered(way.end, state, foreseen=state.foreseen)
    # bash asks chdir(2) then for the path as it was written, which may lead elsewhere by links.
    written = os.path.join(state.here, target)
    other = places.enter(written)
    if not other:
        return _entered(places.real(written), state, foreseen=False)
    shown = shown_name(target, state.variables)
    return Done(state, 1, error=f"cd: {shown}: {os.strerror(error or other)}")


def _is_folder(path: str, places: Places) -> bool:
    status = places.status(path, follow=True)
    return status is not None and stat.S_ISDIR(status.st_mode)


def _entered(cwd: str, state: ShellState, *, foreseen: bool) -> Done:
    variables = {**state.variables, "OLDPWD": state.cwd, "PWD": cwd}
    return Done(state._replace(cwd=cwd, variables=variables, foreseen=foreseen, moved=None), 0)


def print_directory(words: Sequence[str], state: ShellState, places: Places) -> Done:
    """``pwd``, ``pwd -L``, ``pwd -P``."""
    cwd = places.real(state.here) if list(words) == ["-P"] else state.cwd
    return Done(state, 0, os.fsencode(cwd) + b"\n")
