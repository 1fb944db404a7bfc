"""The ways to run a tool that are compared, one name each."""

from __future__ import annotations

from collections.abc import Sequence

from agent_exec.bench.agent_tools.back_ends.base import BackEnd
from agent_exec.bench.agent_tools.corpus import Corpus
from agent_exec.bench.agent_tools.tasks import Expected

BASE = "subprocess"
"""What the others are compared with."""
PEERS = (BASE, "subprocess-thread", "anyio")
TOOL = "agent_exec"
ENGINE = "engine"
ENGINE_KERNEL = "engine-kernel"
OURS = (TOOL, "agent_exec-portable", ENGINE, ENGINE_KERNEL)
BACK_END_NAMES = (*PEERS, *OURS)
NOTHING = "nothing"
"""Runs nothing; not compared, but taken off."""


def open_back_end(name: str, corpus: Corpus, expected: Sequence[Expected]) -> BackEnd:
    """The back end called `name`; the caller closes it.

    What it does not need is not imported: its process is to be like that of somebody who
    uses this back end and no other.

    Raises:
        UnavailableError: This machine or installation cannot offer it.
    """
    # ruff: noqa: PLC0415 - see above
    if name in PEERS:
        from agent_exec.bench.agent_tools.back_ends import peers

        if name == BASE:
            return peers.Subprocess(corpus)
        return peers.Anyio(corpus) if name == "anyio" else peers.SubprocessThread(corpus)
    if name == NOTHING:
        from agent_exec.bench.agent_tools.back_ends.nothing import Nothing

        return Nothing({each.task.name: each.answer for each in expected})
    from agent_exec.bench.agent_tools.back_ends import ours

    if name in (ENGINE, ENGINE_KERNEL):
        return ours.BareEngine(corpus, name.partition("-")[2] or "vfork")
    return ours.Tool(corpus, name.partition("-")[2] or "vfork")
