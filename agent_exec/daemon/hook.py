"""Ask what a host is to do with a command of its own: the daemon if there is one, else here.

For every host that can be made to ask before it runs a command. Little is imported: a hook is
a process of its own for each command.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from agent_exec.daemon.client import Client
from agent_exec.errors import AgentExecError, DaemonError
from agent_exec.named_tuple import NamedTuple

TYPE_CHECKING = False  # as in `agent_exec`
if TYPE_CHECKING:
    from typing import Any

_HANDSHAKE_S = 1.0
_DAEMON_S = 5.0
_LONGEST_REASON = 300
_MOST_REASONS = 8


class Asked(NamedTuple):
    """What a host is about to run, and by what it is judged."""

    command: str
    """Shell text."""
    cwd: str
    """Absolute: where the host's shell is."""
    worktree: str
    """Absolute."""
    policy: str = "default"
    """A shipped name, or an absolute path."""
    timeout_s: float | None = None
    """What the host gives it; inf for what it leaves in the background."""


class Ruling(NamedTuple):
    """What the host is to do."""

    verdict: str
    """allow, ask or deny."""
    because: tuple[str, ...]
    """Lines that no terminal obeys."""
    command: str | None = None
    """What it is to run instead; None: the command as it is, if it may run."""


def rule(asked: Asked, *, start: bool = False, environ: Mapping[str, str] | None = None) -> Ruling:
    """What a host is to do with a command.

    Args:
        asked: The command.
        start: Start a daemon if there is none.
        environ: Says where the daemon is; ours by default.

    Raises:
        AgentExecError: There is no judgement: the policy cannot be read, the worktree is none.
    """
    fields: dict[str, Any] = {
        "command": asked.command,
        "cwd": asked.cwd,
        "program": list(own_program()),
        "options": ["-p", asked.policy, "-w", asked.worktree],
        "timeout_s": asked.timeout_s,
    }
    try:
        with Client.connect(start=start, environ=environ, handshake_s=_HANDSHAKE_S) as client:
            ruled = client.request(
                "judge",
                patience_s=_DAEMON_S,
                worktree=asked.worktree,
                policy=asked.policy,
                **fields,
            )
    except DaemonError:
        # Whatever is the matter with it: what is wrong with the command is found here, too.
        ruled = _rule_here(asked, fields)
    return Ruling(ruled["verdict"], _lines(ruled["because"]), ruled["command"])


def _rule_here(asked: Asked, fields: dict[str, Any]) -> dict[str, Any]:
    from agent_exec.runtime.checker import Checker  # noqa: PLC0415 - with a daemon: not needed
    from agent_exec.runtime.host_command import HostCommand, judge  # noqa: PLC0415

    return judge(Checker(asked.worktree, asked.policy), HostCommand.from_json(fields)).to_json()


def own_program() -> tuple[str, ...]:
    """The words that run ``agent-exec``, as it is running now; absolute."""
    called = os.path.abspath(sys.argv[0])
    if os.path.basename(called) == "agent-exec" and os.access(called, os.X_OK):
        return (called,)
    # -P: nothing is imported from the directory that it is run in.
    return (sys.executable, "-P", "-m", "agent_exec")


def find_worktree(cwd: str) -> str:
    """The repository that `cwd` lies in, or `cwd` itself."""
    folder = os.path.realpath(cwd)
    while not os.path.exists(os.path.join(folder, ".git")):
        above = os.path.dirname(folder)
        if above == folder:
            return os.path.realpath(cwd)
        folder = above
    return folder


def absolute_policy(policy: str, cwd: str) -> str:
    """A shipped name as it is; a path made absolute."""
    if "/" not in policy and not policy.endswith((".yaml", ".yml")):
        return policy
    return os.path.abspath(os.path.join(cwd, os.path.expanduser(policy)))


def reasons_of(error: AgentExecError) -> tuple[str, ...]:
    """Why there is no judgement, as in `Ruling`."""
    return _lines([f"{type(error).__name__}: {error}"])


def _lines(reasons: list[str]) -> tuple[str, ...]:
    shown = [_harmless(reason) for reason in reasons[:_MOST_REASONS]]
    if len(reasons) > _MOST_REASONS:
        shown.append(f"and {len(reasons) - _MOST_REASONS} more reasons")
    return tuple(shown)


def _harmless(text: str) -> str:
    if len(text) > _LONGEST_REASON:
        text = f"{text[:_LONGEST_REASON]}..."
    return "".join([char if char.isprintable() else ascii(char)[1:-1] for char in text])
