"""What some programs ask the network for unasked, and variables that keep them from it.

The directory has a say in whom they ask: ``.npmrc`` names the registry that npm asks for its own
new version, ``go.mod`` names modules to look up, and a toolchain to fetch and to run.

Source: npm-config(7), update-notifier; "Go Toolchains" and "Go Modules Reference" of go.dev,
GOTOOLCHAIN, GOPROXY; "Upgrade and Security Bulletin Checks" of Terraform.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from agent_exec.model.analysis import Analysed
from agent_exec.policy.git_harden import keeps_variables, runs_nothing

QUIET: Mapping[str, tuple[tuple[str, str], ...]] = {
    "go": (("GOTOOLCHAIN", "local"), ("GOPROXY", "off")),
    "npm": (("npm_config_update_notifier", "false"),),
    "terraform": (("CHECKPOINT_DISABLE", "1"),),
}
"""By the name that `Analysed.name` begins with."""


def may_ask(found: Analysed) -> bool:
    """Does a command ask the network, though it is to do no more than to touch files?"""
    return found.name[:1] != () and found.name[0] in QUIET and runs_nothing(found)


def can_be_quiet(analysed: Sequence[Analysed]) -> frozenset[str]:
    """Programs among the commands all of whose calls are to do no more than to touch files."""
    names = {found.name[0] for found in analysed if found.name[:1] != ()} & QUIET.keys()
    if not names or not all(map(keeps_variables, analysed)):
        return frozenset()
    loud = {found.name[0] for found in analysed if found.name[:1] != () and not runs_nothing(found)}
    return frozenset(names - loud)


def quiet(names: Collection[str]) -> tuple[tuple[str, str], ...]:
    """Variables for programs that `can_be_quiet`."""
    return tuple(pair for name in sorted(names) for pair in QUIET[name])
