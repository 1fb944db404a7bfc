"""The services of a daemon: one for each worktree and state of a policy."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from agent_exec.daemon.protocol import can_be_named
from agent_exec.daemon.service import Service
from agent_exec.errors import InvalidCall
from agent_exec.named_tuple import NamedTuple
from agent_exec.policy.load import is_path, load_sources


class Key(NamedTuple):
    """What a service is for."""

    worktree: str
    """Absolute, without links."""
    policy: str
    """A shipped name, or an absolute path."""


_State = tuple[tuple[str, tuple[int, ...] | None], ...]


@dataclass(slots=True, eq=False)
class _Entry:
    key: Key
    state: _State
    """Of the files of the policy, from before they were read."""
    service: Service
    in_use: int = 0
    used: float = field(default_factory=time.monotonic)

    def is_idle(self) -> bool:
        return self.in_use == 0 and self.service.is_idle()


class Services:
    """Makes services, and closes those that were not used for long. For one event loop.

    Args:
        make: Makes one; called on a thread.
        most: How many idle ones are kept.
        idle_s: Seconds after which an idle one is closed.
    """

    def __init__(
        self, make: Callable[[str, str], Service], *, most: int = 16, idle_s: float = 900.0
    ) -> None:
        self._make = make
        self._most = most
        self._idle_s = idle_s
        self._entries: dict[Key, _Entry] = {}
        self._replaced: list[_Entry] = []
        """By one whose policy is newer; closed when their calls have ended."""
        self._locks: dict[Key, _Lock] = {}

    @asynccontextmanager
    async def use(self, worktree: object, policy: object) -> AsyncIterator[Service]:
        """The service for a worktree and a policy, whose files are as they are now.

        Raises:
            AgentExecError: The request names no such thing.
            OSError: A new one cannot be had (EMFILE).
        """
        entry = await self._entry(_key(worktree, policy))
        entry.in_use += 1
        try:
            yield entry.service
        finally:
            entry.in_use -= 1
            entry.used = time.monotonic()
            self.sweep()

    async def _entry(self, key: Key) -> _Entry:
        entry = self._entries.get(key)
        if entry is not None and entry.state == _look(entry.state):
            return entry
        lock = self._locks.setdefault(key, _Lock())
        lock.waiting += 1
        try:
            async with lock.lock:
                entry = self._entries.get(key)
                if entry is not None and entry.state == _look(entry.state):
                    return entry  # somebody else has just made it
                made = await asyncio.to_thread(self._made, key)
                # A call that came while we read found the old one, and goes on with it.
                if (old := self._entries.pop(key, None)) is not None:
                    self._replaced.append(old)
                self._entries[key] = made
                return made
        finally:
            lock.waiting -= 1
            if not lock.waiting:
                del self._locks[key]

    def _made(self, key: Key) -> _Entry:
        state = _state(key.policy)
        return _Entry(key, state, self._make(key.worktree, key.policy))

    def sweep(self) -> None:
        """Close what is not needed any more."""
        for entry in [entry for entry in self._replaced if entry.is_idle()]:
            self._replaced.remove(entry)
            entry.service.close()
        oldest = time.monotonic() - self._idle_s
        idle = sorted(
            (entry for entry in self._entries.values() if entry.is_idle()),
            key=lambda entry: entry.used,
        )
        spare = len(idle) - self._most
        for number, entry in enumerate(idle):
            if number < spare or entry.used < oldest:
                del self._entries[entry.key]
                entry.service.close()

    def end_owner(self, owner: str) -> None:
        """End the sessions of somebody who is gone, wherever they are."""
        for entry in (*self._entries.values(), *self._replaced):
            entry.service.end_owner(owner)

    def all_idle(self) -> bool:
        """Whether nothing runs in any of them."""
        return all(entry.is_idle() for entry in (*self._entries.values(), *self._replaced))

    def __len__(self) -> int:
        return len(self._entries) + len(self._replaced)

    def close(self) -> None:
        """Close all of them; what runs is killed."""
        for entry in (*self._entries.values(), *self._replaced):
            entry.service.close()
        self._entries.clear()
        self._replaced.clear()


@dataclass(slots=True)
class _Lock:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


def _key(worktree: object, policy: object) -> Key:
    worktree = real_worktree(worktree)
    if not isinstance(policy, str) or not policy or not can_be_named(policy):
        raise InvalidCall(f"policy is {policy!r:.200}, and has to be a name or an absolute path")
    if is_path(policy) and not os.path.isabs(os.path.expanduser(policy)):
        raise InvalidCall(f"policy {policy!r:.200}: its path has to be absolute here")
    return Key(worktree, policy)


def real_worktree(worktree: object) -> str:
    """Without links.

    Raises:
        InvalidCall: It is no absolute path.
    """
    if isinstance(worktree, str) and os.path.isabs(worktree) and can_be_named(worktree):
        return os.path.realpath(worktree)
    raise InvalidCall(f"worktree is {worktree!r:.200}, and has to be an absolute path")


def _state(policy: str) -> _State:
    """The files that `policy` is made of, and what they are just now.

    Raises:
        PolicyError: It cannot be read.
    """
    if not is_path(policy):
        return ()  # shipped, like this program
    while True:
        # Looked at before they are read: a change meanwhile is seen at the next call.
        before = _look(tuple([(path, None) for path in _files(policy)]))
        if tuple([path for path, _ in before]) == _files(policy):
            return before


def _files(policy: str) -> tuple[str, ...]:
    # The path itself, too: a link may come to lead elsewhere.
    found = [source.name for source in load_sources(policy) if is_path(source.name)]
    return (os.path.expanduser(policy), *found)


def _look(state: _State) -> _State:
    return tuple([(path, _identity(path)) for path, _ in state])


def _identity(path: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
