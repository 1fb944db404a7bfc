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

QUIET: Mapping[tuple[str, ...], tuple[tuple[str, str], ...]] = {
    ("go",): (("GOTOOLCHAIN", "local"), ("GOPROXY", "off")),
    ("npm",): (("npm_config_update_notifier", "false"),),
    ("terraform",): (("CHECKPOINT_DISABLE", "1"),),
}
"""By how `Analysed.name` begins."""


def can_be_quiet(analysed: Sequence[Analysed]) -> Collection[tuple[str, ...]]:
    """Those of `QUIET` among the commands all of whose calls do no more than to touch files."""
    names = QUIET.keys() & {found.name[:1] for found in analysed}
    if not names or not all(map(keeps_variables, analysed)):
        return ()
    return names - {found.name[:1] for found in analysed if not runs_nothing(found)}


def quiet(names: Collection[tuple[str, ...]]) -> tuple[tuple[str, str], ...]:
    """Variables for programs that `can_be_quiet`."""
    return tuple(pair for name in sorted(names) for pair in QUIET[name])
