"""What a launcher and this machine, together, hold children to."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from agent_exec.errors import AgentExecError, Unsupported
from agent_exec.launch.select import select_general, why_not_kernel
from agent_exec.model.launcher import LauncherName
from agent_exec.policy.policy import Policy
from agent_exec.sandbox.access import Places
from agent_exec.sandbox.available import best, names, tmp_folders
from agent_exec.sandbox.box import Box
from agent_exec.sandbox.filters import filter_maker
from agent_exec.sandbox.limits import Bounds
from agent_exec.sandbox.profile import Enforced, Sandbox
from agent_exec.sandbox.protected import Protected


def enforced_by(launcher: LauncherName, policy: Policy | None = None) -> Enforced:
    """What children of `launcher` can be held to. The portable one confines nothing.

    Args:
        policy: One that requires bubblewrap has it tried, which takes a launch.
    """
    if launcher is not LauncherName.VFORK:
        return Enforced()
    enforced = best(filter_maker())
    if policy is None or "bubblewrap" not in policy.sandbox.require:
        return enforced
    if policy.sandbox.nothing_withheld:  # no call has rights that it could be made for
        return enforced
    return enforced._replace(bubblewrap=why_no_bubblewrap(policy.path, policy.worktree) is None)


def why_no_bubblewrap(path: Sequence[str], worktree: str | None) -> str | None:
    """Why children cannot be run in bubblewrap; None when they can: it was tried.

    Args:
        path: Where names of programs are looked up.
        worktree: Where they are not; None: nobody works anywhere yet.
    """
    # It brings templates along, and who asks may want to know of nothing else.
    from agent_exec.runtime.boxing import make_box, why_not_boxed  # noqa: PLC0415

    try:
        box = make_box(path, worktree)
    except Unsupported as error:
        return str(error)
    try:
        return why_not_boxed(box, tmp_folders(os.environ))
    finally:
        box.close()


def make_sandbox(policy: Policy, enforced: Enforced, environ: Mapping[str, str]) -> Sandbox | None:
    """The sandbox of a tool; None where nothing is withheld, or nothing can be.

    Args:
        policy: Of the tool.
        enforced: By its launcher.
        environ: Ours.

    Raises:
        Unsupported: Bubblewrap, which was there when it was tried, is gone.
    """
    if policy.sandbox.nothing_withheld or not (enforced.landlock or enforced.filter):
        return None
    from agent_exec.launch.sandboxing import CORE  # noqa: PLC0415 - absent on some systems

    limits = policy.limits
    home = os.path.realpath(os.path.expanduser("~"))
    broad = {"/", "/tmp", "/var/tmp", home, os.path.dirname(home), *_above(policy.worktree)}
    return Sandbox(
        enforced,
        Bounds(limits.processes, limits.memory_mib, limits.file_mib, limits.open_files),
        Places(
            policy.path,
            tuple(sorted(broad)),
            frozenset(policy.sandbox.read) - {*policy.sandbox.worktree},
        ),
        core=CORE,
        tmp_folders=tmp_folders(environ),
        protected=Protected(policy.worktree, policy.protect),
        box=_box_of(policy) if enforced.bubblewrap else None,
    )


def _box_of(policy: Policy) -> Box:
    from agent_exec.runtime.boxing import make_box  # noqa: PLC0415 - as above

    return make_box(policy.path, policy.worktree)


def what_is_enforced(
    launcher: str, *, cgroup: bool, policy: Policy | None = None
) -> frozenset[str]:
    """The words of ``sandbox.require`` that the launcher called `launcher` meets here.

    Args:
        launcher: As a policy names it; the calls of a tool with ``kernel`` are started as by
            ``auto`` (see `agent_exec.runtime.select`).
        cgroup: Is it of interest whether calls have cgroups? That takes a launch to find out.
        policy: As for `enforced_by`.
    """
    if launcher == "kernel":
        if why_not_kernel() is not None:
            return frozenset()
        launcher = "auto"
    try:
        chosen = select_general(launcher).name
    except AgentExecError:
        return frozenset()
    return names(enforced_by(chosen, policy), cgroup=cgroup and _has_cgroups(launcher))


def _has_cgroups(launcher: str) -> bool:
    from agent_exec.runtime.kill_tier import find_kill_tier  # noqa: PLC0415 - starts an engine

    return find_kill_tier(launcher).name == "cgroup"


def _above(worktree: str) -> list[str]:
    above = []
    while worktree != "/":
        worktree = os.path.dirname(worktree)
        above.append(worktree)
    return above
