"""The ways to launch that are compared, one name each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent_exec.bench.launch.methods.base import Method
from agent_exec.bench.launch.programs import Workbench

FLOOR = "floor"
OURS = (
    "engine-asyncio",
    "engine-trio",
    "engine-blocking",
    "tool-asyncio",
    "tool-trio",
    "portable-asyncio",
)
PEERS = (
    "subprocess",
    "asyncio",
    "anyio",
    "trio",
    "uvloop",
    "node",
    "bash",
    "bash-asyncio",
)
METHOD_NAMES = (FLOOR, *OURS, *PEERS)


def open_method(name: str, bench: Workbench) -> Method:
    """The method called `name`, ready to measure; the caller closes it.

    What a method does not need is not imported: its process is to be like that of
    somebody who uses this method and no other.

    Raises:
        UnavailableError: This machine or installation cannot offer it.
    """
    # ruff: noqa: PLC0415 - see above
    if name == FLOOR:
        from agent_exec.bench.launch.methods.floor import Floor

        return Floor(bench)
    if name == "node":
        from agent_exec.bench.launch.methods.node import Node

        return Node(bench)
    return _openers(name)[name](bench)


def _openers(name: str) -> Mapping[str, Callable[[Workbench], Method]]:
    if name in PEERS:
        from agent_exec.bench.launch.methods import peers

        return {
            "subprocess": peers.open_subprocess,
            "asyncio": peers.open_asyncio,
            "anyio": peers.open_anyio,
            "trio": peers.open_trio,
            "uvloop": peers.open_uvloop,
            "bash": peers.open_bash,
            "bash-asyncio": peers.open_bash_asyncio,
        }
    if name.startswith("tool"):
        from agent_exec.bench.launch.methods import tool

        return {
            "tool-asyncio": tool.open_tool_asyncio,
            "tool-trio": tool.open_tool_trio,
        }
    from agent_exec.bench.launch.methods import ours

    return {
        "engine-asyncio": ours.open_engine_asyncio,
        "engine-trio": ours.open_engine_trio,
        "engine-blocking": ours.open_engine_blocking,
        "portable-asyncio": ours.open_portable_asyncio,
    }
