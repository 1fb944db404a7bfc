"""A cluster of three logical nodes on this machine, and what becomes of calls on it.

    python ray_scenarios.py FOLDER

Prints one JSON object with what each scenario found. A program of its own, since Ray leaves threads
and descriptors in the process that has used it.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import ray
from ray.cluster_utils import Cluster

from agent_exec import (
    BackendCall,
    BackendLost,
    BackendResult,
    Chunk,
    InvalidCall,
    StreamEvent,
)
from agent_exec.integrations.ray import RayBackend

PATIENCE_S = 60.0
UNREAD = 20_000_000
"""Bytes; many times what is on its way at once."""
WAITS = "(exec 3>fifo; echo up >&3; sleep 1000) & wait"


class Scenarios:
    """Worktrees ``a`` and ``b`` on one node, ``c`` on another."""

    def __init__(
        self, folder: Path, backend: RayBackend, kill_node_of_c: Callable[[], None]
    ) -> None:
        self._folder = folder
        self._backend = backend
        self._kill_node_of_c = kill_node_of_c

    def call(self, name: str, *words: str, **more: Any) -> BackendCall:
        """A call in a worktree."""
        return BackendCall(
            worktree=str(self._folder / name),
            arguments={"argv": list(words)},
            **{"policy": "open", **more},
        )

    async def routes(self) -> object:
        """Calls at once, each where its worktree is."""
        done = await asyncio.gather(
            *(self._backend.run(self.call(name, "cat", "name.txt")) for name in "abc" * 5)
        )
        return [[result.node, result.result["stdout"]["head"]] for result in done]

    async def policies(self) -> object:
        """A call that the policy refuses; places that are not there, here or on their node."""
        refused = await self._backend.run(self.call("a", "touch", "new", policy="default"))
        errors = []
        wrong = [self.call("elsewhere", "ls"), self.call("a", "ls", policy="strict")]
        for each in (*wrong, self.call("gone", "ls")):
            uses: tuple[Callable[[BackendCall], Awaitable[object]], ...]
            uses = self._backend.run, self._streamed
            for use in uses:
                try:
                    await use(each)
                except InvalidCall as error:
                    errors.append(str(error))
        return [refused.result["ended"], errors]

    async def _streamed(self, call: BackendCall) -> list[StreamEvent]:
        async with self._backend.stream(call) as events:
            return [event async for event in events]

    async def streams(self) -> object:
        """Output that is there before the call has ended."""
        gate = self._folder / "a" / "gate"
        os.mkfifo(gate)
        text = "echo first; read word < gate; echo $word"
        seen: list[object] = []
        async with self._backend.stream(self.call("a", "sh", "-c", text)) as events:
            async for event in events:
                if isinstance(event, Chunk):
                    seen.append(event.data.decode())
                    if event.data == b"first\n":
                        await asyncio.to_thread(gate.write_text, "second\n")
                elif isinstance(event, BackendResult):
                    seen.append(event.result["status"])
        return seen

    async def ends(self) -> object:
        """A call that takes too long, with all that it has started; one that says much."""
        with Fifo(self._folder / "b" / "late") as fifo:
            text = WAITS.replace("fifo", "late")
            late = self.call("b", "sh", "-c", text)
            late = replace(late, arguments={**late.arguments, "timeout_ms": 500})
            task = asyncio.create_task(self._backend.run(late))
            await asyncio.to_thread(fifo.wait_up)
            ended = (await task).result["ended"]
            gone = await asyncio.to_thread(fifo.is_gone)
        (self._folder / "b" / "long.txt").write_text("first\n" + "x" * 3_000_000 + "\nlast\n")
        long = await self._backend.run(self.call("b", "cat", "long.txt"))
        return {
            "ended": ended,
            "gone": gone,
            "text": [len(str(long.text)), str(long.text)[-200:]],
            "dropped": long.result["stdout"]["dropped"],
        }

    async def unread(self) -> object:
        """A stream that nobody reads for a while: its child waits, and then says the rest."""
        done = self._folder / "b" / "done"
        waits = self.call("b", "sh", "-c", f"head -c {UNREAD} /dev/zero; touch done")
        async with self._backend.stream(waits) as events:
            chunk = await anext(events)
            size = len(chunk.data) if isinstance(chunk, Chunk) else 0
            for _ in range(150):
                await self._backend.run(self.call("a", "true"))
            early = done.exists()
            async for event in events:
                size += len(event.data) if isinstance(event, Chunk) else 0
        return [early, size, done.exists()]

    async def example(self) -> object:
        """The program of the guide."""
        program = Path(__file__).parents[2] / "docs" / "examples" / "ray_backend.py"
        (self._folder / "a" / "greeting.txt").write_text("hello, worktree\n")
        process = await asyncio.create_subprocess_exec(
            sys.executable, program, cwd=self._folder / "a", stdout=asyncio.subprocess.PIPE
        )
        stdout, _ = await process.communicate()
        return stdout.decode()

    async def sessions(self) -> object:
        """One that goes on between calls, to its owner alone, and ends with that."""
        talks = self.call("a", "cat")
        talks = replace(talks, arguments={**talks.arguments, "background": True}, owner="me")
        handle = (await self._backend.run(talks)).result["session"]["handle"]

        async def go_on(name: str, owner: str = "me", **arguments: Any) -> BackendResult:
            arguments["session"] = handle
            sent = replace(talks, name=name, owner=owner, arguments=arguments)
            return await self._backend.run(sent)

        wrote = await go_on("exec_write", text="hello\n")
        read = await go_on("exec_read", offset=0, wait_ms=10_000)
        other = await go_on("exec_read", owner="you")
        with Fifo(self._folder / "a" / "watched") as fifo:
            watched = self.call("a", "sh", "-c", "exec 3>watched; echo up >&3; exec sleep 1000")
            watched = replace(
                watched, arguments={**watched.arguments, "background": True}, owner="me"
            )
            await self._backend.run(watched)
            await asyncio.to_thread(fifo.wait_up)
            await self._backend.end_sessions("me")
            gone = await asyncio.to_thread(fifo.is_gone)
        ended = await go_on("exec_read")
        return [
            wrote.result["ended"],
            read.result["stdout"]["head"],
            [each.result["ended"] for each in (other, ended)],
            gone,
        ]

    async def cancels(self) -> object:
        """A task that is cancelled, and a stream that is left: what they started is gone."""
        ends = []
        for name, use in (("a", self._run_waiting), ("b", self._leave_waiting)):
            with Fifo(self._folder / name / "fifo") as fifo:
                task = asyncio.create_task(use(name, fifo))
                await asyncio.to_thread(fifo.wait_up)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                ends.append([task.cancelled(), await asyncio.to_thread(fifo.is_gone)])
        return ends

    async def _run_waiting(self, name: str, _fifo: Fifo) -> None:
        await self._backend.run(self.call(name, "sh", "-c", WAITS))

    async def _leave_waiting(self, name: str, _fifo: Fifo) -> None:
        async with self._backend.stream(self.call(name, "sh", "-c", WAITS)) as events:
            async for _ in events:
                pass

    async def loses(self) -> object:
        """A node that dies under two calls, one of them streamed; other nodes go on."""
        with Fifo(self._folder / "c" / "fifo") as fifo:
            tasks = [
                asyncio.create_task(use("c", fifo))
                for use in (self._run_waiting, self._leave_waiting)
            ]
            await asyncio.to_thread(fifo.wait_up)
            self._kill_node_of_c()
            told = await asyncio.gather(*tasks, return_exceptions=True)
            gone = await asyncio.to_thread(fifo.is_gone)
        # Ray takes a while to be sure that it is no hitch of the network.
        while not self._backend.lost_nodes:
            try:
                await self._backend.run(self.call("c", "true"))
            except BackendLost as error:
                told.append(error)
        try:
            await self._backend.run(self.call("c", "true"))
        except BackendLost as error:
            told.append(error)
        other = await self._backend.run(self.call("a", "true"))
        return {
            "told": [[type(error).__name__, str(error)] for error in told],
            "gone": gone,
            "lost": list(self._backend.lost_nodes),
            "other": other.result["status"],
        }

    async def kills(self) -> object:
        """An actor that is killed under a call: its guardian ends what that has started."""
        (parent,) = [
            int(event.data)
            for event in await self._streamed(self.call("a", "sh", "-c", "echo $PPID"))
            if isinstance(event, Chunk)
        ]
        with Fifo(self._folder / "a" / "held") as fifo:
            waits = self.call("a", "sh", "-c", WAITS.replace("fifo", "held"))
            task = asyncio.create_task(self._backend.run(waits))
            await asyncio.to_thread(fifo.wait_up)
            os.kill(parent, signal.SIGKILL)
            told = (await asyncio.gather(task, return_exceptions=True))[0]
            gone = await asyncio.to_thread(fifo.is_gone)
        return [type(told).__name__, str(told), gone]


class Fifo:
    """Tells that somebody holds it, and that nobody does any more."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._reader)

    def wait_up(self) -> None:
        """Until a call says that it runs."""
        assert select.select([self._reader], [], [], PATIENCE_S)[0]
        assert os.read(self._reader, 3) == b"up\n"

    def is_gone(self) -> bool:
        """Whether all that have held it end in time."""
        while select.select([self._reader], [], [], PATIENCE_S)[0]:
            if os.read(self._reader, 64) == b"":
                return True
        return False


async def play(scenarios: Scenarios, backend: RayBackend) -> dict[str, object]:
    """What each finds, those that kill something last."""
    found: dict[str, object] = {}
    parts: tuple[Callable[[], Awaitable[object]], ...] = (
        scenarios.routes,
        scenarios.policies,
        scenarios.streams,
        scenarios.ends,
        scenarios.unread,
        scenarios.example,
        scenarios.sessions,
        scenarios.cancels,
        scenarios.loses,
        scenarios.kills,
    )
    for part in parts:
        async with asyncio.timeout(3 * PATIENCE_S):
            found[part.__name__] = await part()
    await backend.aclose()
    return found


def unknown_node(folder: Path) -> str:
    """What is said of a node that the cluster does not have."""
    try:
        RayBackend({str(folder): "ab" * 28})
    except InvalidCall as error:
        return str(error)
    return ""


def main() -> None:
    folder = Path(sys.argv[1])
    node_args = {"num_cpus": 1, "object_store_memory": 80 << 20, "node_ip_address": "127.0.0.2"}
    # Ray's sockets lie in it, whose paths have to be short.
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as temporary:
        os.environ["RAY_TMPDIR"] = temporary
        head = {**node_args, "include_dashboard": False}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        try:
            nodes = [cluster.add_node(**node_args) for _ in range(2)]
            os.environ["RAY_ADDRESS"] = cluster.address
            ray.init(log_to_driver=False)
            places = {"a": nodes[0], "b": nodes[0], "c": nodes[1]}
            for name in places:
                (folder / name).mkdir()
                (folder / name / "name.txt").write_text(name)
            backend = RayBackend(
                {
                    **{str(folder / name): node.node_id for name, node in places.items()},
                    str(folder / "gone"): nodes[0].node_id,
                },
                policies=("default", "open"),
                options={"audit": False},
            )

            def kill() -> None:
                cluster.remove_node(nodes[1], allow_graceful=False)

            found = asyncio.run(play(Scenarios(folder, backend, kill), backend))
            found["unknown"] = unknown_node(folder)
            found["nodes"] = [node.node_id for node in nodes]
        finally:
            ray.shutdown()
            cluster.shutdown()
    print(json.dumps(found))


if __name__ == "__main__":
    main()
