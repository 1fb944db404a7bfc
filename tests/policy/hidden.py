"""What a hidden row is, and all of them.

Each row is a command that does more than it seems to. `test_hidden.py` runs those whose
programs are installed and sees what they do, so that no row can be wrong; and no policy
that allows only reading may let one of them pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import NamedTuple


class Seen(Enum):
    """How the effect shows, in the directory where the command ran."""

    MARK = "M is there"
    CHANGED = "a.txt is not what it was"
    LEAK = "what lies outside of the directory comes out of it"
    NOT = "it cannot be seen here: it needs a terminal, another host or a service"


class Hidden(NamedTuple):
    """A command that hides something."""

    id: str
    call: tuple[str, ...] | str
    """An argument vector, or a text for bash."""
    seen: Seen = Seen.MARK
    env: Mapping[str, str] = {}
    files: Mapping[str, str] = {}
    """Besides a.txt and the program p.sh, which makes M; a name with * is executable."""
    stdin: str | None = None
    needs: tuple[str, ...] = ()
    """Programs that have to be there besides the first word of an argument vector."""
    config: tuple[tuple[str, str], ...] = ()
    """Of the repository, set beforehand."""


LEAKED = "the-word-outside"
"""What stands in ../outside/word."""
