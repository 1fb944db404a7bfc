"""`RayBackend`: calls go to the node that has their worktree."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import anyio
import ray
from ray.exceptions import (
    ActorUnavailableError,
    ActorUnschedulableError,
    NodeDiedError,
    ObjectLostError,
    RayActorError,
    RayError,
    RayTaskError,
    TaskCancelledError,
)
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from agent_exec import (
    AgentExecError,
    BackendCall,
    BackendLost,
    BackendResult,
    Closed,
    InvalidCall,
    StreamEvent,
)
from agent_exec.backend import check_place
from agent_exec.integrations.ray.node import MOST_UNREAD, NodeActor

_LOST = (RayActorError, ActorUnschedulableError, NodeDiedError, ObjectLostError)
# Of calls alone: their node may go on.
_ONLY_CALL = (ActorUnavailableError, ObjectLostError)
_MOST_CALLS = 1000
_TOLD_AT_ONCE = MOST_UNREAD // 2
# How long the end of a call that was cancelled is awaited: SIGTERM, grace, SIGKILL.
_CANCEL_PATIENCE_S = 15.0


class RayBackend:
    """Runs calls on the nodes of a Ray cluster to which this process is connected.

    Each node has one actor, which takes no CPU of Ray's and owns the worktrees of that node;
    nothing is ever run twice or elsewhere. For asyncio.

    Args:
        worktrees: Absolute paths, and the ids of the nodes (``ray.nodes()``) that have them.
        policies: What a call may name.
        options: More for each `ExecTool`, as keywords; they have to be picklable.

    Raises:
        Closed: This process is not connected to a cluster.
        InvalidCall: The cluster has no such node.
    """

    def __init__(
        self,
        worktrees: Mapping[str, str],
        *,
        policies: tuple[str, ...] = ("default",),
        options: Mapping[str, Any] | None = None,
    ) -> None:
        if not ray.is_initialized():
            raise Closed("not connected to a Ray cluster; call ray.init before")
        known = {each["NodeID"] for each in ray.nodes()}
        for path, node in worktrees.items():
            if node not in known:
                raise InvalidCall(f"the cluster has no node {node!r}, which is to have {path}")
        self._node_of = dict(worktrees)
        self._policies = policies
        self._lost: dict[str, str] = {}
        self._streams = itertools.count()
        self._is_closed = False
        actor = ray.remote(num_cpus=0, max_concurrency=_MOST_CALLS, max_restarts=0)(NodeActor)
        self._actors = {
            node: actor.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)
            ).remote(
                node,
                tuple([path for path, its in worktrees.items() if its == node]),
                policies,
                dict(options or {}),
            )
            for node in dict.fromkeys(worktrees.values())
        }

    @property
    def lost_nodes(self) -> Mapping[str, str]:
        """The nodes that are known to be gone, and why."""
        return dict(self._lost)

    async def run(self, call: BackendCall) -> BackendResult:
        """See `ExecBackend.run`."""
        node, actor = self._route(call)
        ref = actor.run.remote(call.to_json())
        try:
            result: BackendResult = await ref
        except asyncio.CancelledError:
            await _cancel(ref)
            raise
        except (RayTaskError, *_LOST) as error:
            raise self._told(node, call, error, ref) from error
        return result

    @asynccontextmanager
    async def stream(self, call: BackendCall) -> AsyncIterator[AsyncIterator[StreamEvent]]:
        """See `ExecBackend.stream`."""
        node, actor = self._route(call)
        id_ = next(self._streams)
        refs = actor.stream.options(num_returns="streaming").remote(call.to_json(), id_)
        took = partial(actor.took.remote, id_, _TOLD_AT_ONCE)
        events = self._events(refs, node, call, took)
        try:
            yield events
        finally:
            await events.aclose()
            await _cancel(refs)

    async def end_sessions(self, owner: str) -> None:
        """See `ExecBackend.end_sessions`. Those of a lost node have ended with it."""
        for node, actor in self._actors.items():
            if node not in self._lost:
                with suppress(RayError):
                    await actor.end_sessions.remote(owner)

    async def aclose(self) -> None:
        """End what runs, and the actors. Idempotent."""
        self._is_closed = True
        actors, self._actors = self._actors, {}
        for node, actor in actors.items():
            if node not in self._lost:
                with suppress(RayError):
                    await actor.close.remote()
            ray.kill(actor)

    async def _events(
        self,
        refs: Any,  # noqa: ANN401 - Ray's, which has no types of its own
        node: str,
        call: BackendCall,
        took: Callable[[], object],
    ) -> AsyncGenerator[StreamEvent, None]:
        read = 0
        try:
            async for ref in refs:
                yield await ref
                read += 1
                if read % _TOLD_AT_ONCE == 0:
                    took()
        except (RayTaskError, *_LOST) as error:
            raise self._told(node, call, error, refs) from error

    def _route(self, call: BackendCall) -> tuple[str, Any]:
        if self._is_closed:
            raise Closed("the backend was closed")
        check_place(call, self._node_of, self._policies)
        node = self._node_of[call.worktree]
        if node in self._lost:
            raise BackendLost(node, call.worktree, f"it was lost before: {self._lost[node]}")
        return node, self._actors[node]

    def _told(
        self,
        node: str,
        call: BackendCall,
        error: Exception,
        ref: Any,  # noqa: ANN401 - a reference, or a generator of some
    ) -> Exception:
        """What the caller is to know of an error of Ray's."""
        if isinstance(error, RayTaskError):
            # The node's own word, without the way that it took there.
            return error.cause if isinstance(error.cause, AgentExecError) else error
        why = next((line for line in str(error).splitlines() if line.strip()), repr(error))
        if isinstance(error, _ONLY_CALL):
            # It may come back; what nobody waits for any more is not to go on then.
            ray.cancel(ref)
        else:
            self._lost.setdefault(node, why)
        return BackendLost(node, call.worktree, f"whether the call ran is not known: {why}")


async def _cancel(
    ref: Any,  # noqa: ANN401 - a reference, or a generator of some
) -> None:
    """Have the call ended, and wait until it has."""
    ray.cancel(ref)
    with anyio.move_on_after(_CANCEL_PATIENCE_S, shield=True):
        # Of a generator: the end of its task.
        done = ref.completed() if hasattr(ref, "completed") else ref
        with suppress(TaskCancelledError, *_LOST):
            await done
