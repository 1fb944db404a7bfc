"""What some programs ask the network for unasked, and variables that keep them from it.

The directory has a say in whom they ask: ``.npmrc`` names the registry that npm asks for its own
new version, ``go.mod`` names modules to look up, and a toolchain to fetch and to run.

Source: npm-config(7), update-notifier; pip, ``self_outdated_check.py``; "Go Toolchains" and "Go
Modules Reference" of go.dev, GOTOOLCHAIN, GOPROXY; "Upgrade and Security Bulletin Checks" of
Terraform.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from agent_exec.model.analysis import Analysed
from agent_exec.policy.git_harden import keeps_variables, runs_nothing

QUIET: Mapping[tuple[str, ...], tuple[tuple[str, str], ...]] = {
    ("go",): (("GOTOOLCHAIN", "local"), ("GOPROXY", "off")),
    ("npm",): (("npm_config_update_notifier", "false"),),
    # Its other commands that only read do not ask; from 24 on, nor does this.
    ("pip", "list"): (("PIP_DISABLE_PIP_VERSION_CHECK", "1"),),
    ("terraform",): (("CHECKPOINT_DISABLE", "1"),),
}
"""By the `key_of` an `Analysed.name`."""


def key_of(name: tuple[str, ...]) -> tuple[str, ...]:
    """The program, with its sub-command where only that one asks."""
    return name[:2] if name[:2] in QUIET else name[:1]


def can_be_quiet(analysed: Sequence[Analysed]) -> Collection[tuple[str, ...]]:
    """Those of `QUIET` among the commands all of whose calls do no more than to touch files."""
    names = QUIET.keys() & {key_of(found.name) for found in analysed}
    if not names or not all(map(keeps_variables, analysed)):
        return ()
    return names - {key_of(found.name) for found in analysed if not runs_nothing(found)}


def quiet(names: Collection[tuple[str, ...]]) -> tuple[tuple[str, str], ...]:
    """Variables for programs that `can_be_quiet`."""
    return tuple(pair for name in sorted(names) for pair in QUIET[name])
