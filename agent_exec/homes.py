"""Where this user's files are: the home directory, and the XDG directory of state."""

from __future__ import annotations

import os
from collections.abc import Mapping


def home() -> str:
    """Absolute. ``/`` where nothing says another: never a directory that a call works in.

    ``HOME`` may be relative; or not there, and the user unknown to the system, as in containers.
    """
    found = os.path.expanduser("~")
    return found if os.path.isabs(found) else "/"


def state_home(environ: Mapping[str, str]) -> str:
    """``XDG_STATE_HOME`` of `environ`, where it is absolute; else what it is by default."""
    found = environ.get("XDG_STATE_HOME", "")
    return found if os.path.isabs(found) else os.path.join(home(), ".local", "state")
