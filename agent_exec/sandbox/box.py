"""Bubblewrap, for the children of one tool."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from typing import Protocol, TypeAlias
from weakref import WeakKeyDictionary

from agent_exec.model.action import Action, ActionType
from agent_exec.model.confinement import Filter
from agent_exec.model.plan import Executable, SpawnPlan
from agent_exec.model.rights import Rights
from agent_exec.sandbox import landlock
from agent_exec.sandbox.bubblewrap import Place, environment, mounts, orders, outer, rules
from agent_exec.sandbox.links import links_of, links_of_machine
from agent_exec.sandbox.rule_sets import RuleSet

InsideFilter: TypeAlias = Callable[[bool, bool, int], Filter]
"""From: may it write, may it use the network, and the version of Landlock."""
# Bubblewrap waits by signalfd(2). What a group is sent is for the program.
_ALL_SIGNALS = Action.sigmask(range(1, 65))


class Program(Protocol):
    """Bubblewrap itself, pinned."""

    def executable(self) -> Executable:
        """As it is now.

        Raises:
            TemplateError: It cannot be had any more.
        """
        ...

    def close(self) -> None:
        """Let it go. Idempotent."""
        ...


class Box:
    """Makes plans that run in namespaces of their own out of those that do not.

    Args:
        program: Bubblewrap.
        image: The program that confines itself inside: a file of ours.
        make_filter: For what is inside.
        abi: The version of Landlock.
    """

    def __init__(self, program: Program, image: str, make_filter: InsideFilter, abi: int) -> None:
        self._program = program
        self._image = image
        self._make_filter = make_filter
        self._abi = abi
        # Threads may make the same at once.
        self._made: WeakKeyDictionary[RuleSet, tuple[tuple[str, ...], tuple[str, ...]]]
        self._made = WeakKeyDictionary()
        self._home = os.path.normpath(os.path.expanduser("~"))

    def plan(
        self, stage: SpawnPlan, rights: Rights, rule_set: RuleSet, *, tmp: str, told: str
    ) -> SpawnPlan:
        """`stage`, run by bubblewrap.

        Args:
            stage: Confined.
            rights: Of the stage.
            rule_set: Made for these.
            tmp: The temp directory of its call.
            told: A file that says what becomes of it; see `sandbox.told`.

        Raises:
            OSError: Its directory cannot be looked at.
            TemplateError: Bubblewrap is not to be had any more.
        """
        confinement = stage.confinement
        assert confinement is not None, "it is confined"
        abi, network = self._abi, rights.network
        mounted, ruled = self._placed(rule_set, stage.executable, rights, tmp)
        inside = orders(
            ruled,
            stage.executable,
            _directory(stage),
            abi=abi,
            scoped=landlock.scoped(abi, network=network, signal=False),
            filter_=self._make_filter(rights.attributes, network, abi).program,
        )
        words = ("bwrap", *outer(mounted, self._image, told, network=network), *inside)
        return stage._replace(
            executable=self._program.executable(),
            argv=(*map(os.fsencode, words), *stage.argv),
            envp=environment(stage.envp),
            actions=(*stage.actions, _ALL_SIGNALS),
            # A domain may mount nothing, and the filter lets no namespace be made.
            confinement=confinement._replace(landlock=None, filter=None),
        )

    def close(self) -> None:
        """Let go what is held. Idempotent."""
        self._program.close()

    def _placed(
        self, rule_set: RuleSet, executable: Executable, rights: Rights, tmp: str
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What is mounted, and what is allowed of it. Both are as good as the rule set."""
        made = self._made.get(rule_set)
        if made is None:
            place = Place(
                rule_set.accesses,
                rule_set.seen,
                {**self._links, **links_of((executable.name, *rights.programs))},
                self._home,
                tmp if rights.tmp else None,
            )
            made = self._made[rule_set] = mounts(place), rules(place)
        return made

    @cached_property
    def _links(self) -> dict[str, str]:
        return links_of_machine(self._home)


def _directory(stage: SpawnPlan) -> tuple[int, int] | None:
    """Device and inode of the one that a stage works in."""
    entered = [action.fd for action in stage.actions if action.type == ActionType.FCHDIR]
    if not entered:
        return None
    status = os.fstat(entered[-1])
    return status.st_dev, status.st_ino
