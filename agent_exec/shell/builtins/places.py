"""cd and pwd."""

from __future__ import annotations

import os
from collections.abc import Sequence

from agent_exec.shell.builtins.state import Done, Places, ShellState
from agent_exec.shell.directories import logical


def change_directory(words: Sequence[str], state: ShellState, places: Places) -> Done:
    """``cd``, ``cd DIR``, ``cd -- DIR``."""
    if words[:1] == ["--"]:
        words = words[1:]
    if len(words) > 1:
        return Done(state, 1, error="cd: too many arguments")
    target = words[0] if words else state.variables["HOME"]
    cwd = logical(state.cwd, target)
    # bash asks chdir(2) for the path without its dots, and for what was written if that fails.
    error = places.enter(cwd)
    if error:
        return Done(state, 1, error=f"cd: {target}: {os.strerror(error)}")
    variables = {**state.variables, "OLDPWD": state.cwd, "PWD": cwd}
    return Done(state._replace(cwd=cwd, variables=variables), 0)


def print_directory(words: Sequence[str], state: ShellState, places: Places) -> Done:
    """``pwd``, ``pwd -L``, ``pwd -P``."""
    cwd = places.real(state.cwd) if list(words) == ["-P"] else state.cwd
    return Done(state, 0, os.fsencode(cwd) + b"\n")
