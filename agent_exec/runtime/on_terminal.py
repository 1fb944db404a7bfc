"""A child with a controlling terminal."""

from __future__ import annotations

import os

from agent_exec.model.action import Action, OpenHow
from agent_exec.model.plan import SpawnPlan

_TERM = b"TERM=xterm-256color"
"""Where nothing says what the terminal understands."""


def on_terminal(stage: SpawnPlan, terminal: int) -> SpawnPlan:
    """`stage` with a controlling terminal, which is also its 0, 1 and 2.

    A leader of a session gets the terminal that it opens first, when that is nobody's;
    tty_ioctl(4), TIOCSCTTY.

    Args:
        stage: One that leads a session.
        terminal: A descriptor of it.

    Raises:
        OSError: It has no name here.
    """
    path = os.fsencode(os.ttyname(terminal))
    opened = Action.open(0, OpenHow(path, os.O_RDWR))
    actions = (opened, Action.dup2(0, 1), Action.dup2(0, 2), *stage.actions)
    has_term = any(word.startswith(b"TERM=") for word in stage.envp)
    return stage._replace(actions=actions, envp=stage.envp if has_term else (*stage.envp, _TERM))
