"""export."""

from __future__ import annotations

from collections.abc import Sequence

from agent_exec.shell.builtins.state import Done, Places, ShellState


def export(words: Sequence[str], state: ShellState, _places: Places) -> Done:
    """``export NAME=VALUE ...``; a name alone is exported already."""
    variables = dict(state.variables)
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            variables[name] = value
    return Done(state._replace(variables=variables), 0)
