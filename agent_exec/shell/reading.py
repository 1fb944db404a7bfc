"""Shell text to what it would do: a script that runs without bash, or the reason for bash.

Nothing here starts a process or touches a file.
"""

from __future__ import annotations

from agent_exec.model.request import Command
from agent_exec.model.script import Script
from agent_exec.named_tuple import NamedTuple
from agent_exec.shell.expand import Scope
from agent_exec.shell.names import check_environment
from agent_exec.shell.needs_bash import NeedsBash
from agent_exec.shell.parser import parse
from agent_exec.shell.planning import plan

__all__ = ["Reading", "Scope", "read"]

_LONGEST = 1 << 20  # characters; bash itself is given no more than 131,071 bytes


class Reading(NamedTuple):
    """What a text would do. Either `script` is there, or `needs_bash`."""

    script: Script | None
    needs_bash: str | None
    """Why no script: in words for people."""
    commands: tuple[Command, ...]
    """Of a script, all; else what could be found in the text, none of it certain."""
    complete: bool
    """Are those all commands? False also says that an empty list means nothing."""


def read(text: str, scope: Scope) -> Reading:
    """Read `text` as bash would with ``-c``. Never raises; takes time as the text is long."""
    if len(text) > _LONGEST:
        return Reading(None, "the text is very long", (), complete=False)
    try:
        check_environment(scope.variables)
        script = parse(text)
        commands = plan(script, scope)
    except NeedsBash as needs:
        return Reading(None, needs.reason, _listed(text, scope), complete=False)
    return Reading(script, None, commands, complete=True)


def _listed(text: str, scope: Scope) -> tuple[Command, ...]:
    # Not at the top: most texts need no listing, and loading its parser takes as long as a
    # whole check should.
    from agent_exec.shell.listing import list_commands  # noqa: PLC0415

    return list_commands(text, scope)
