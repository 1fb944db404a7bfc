"""The spawn templates of one worktree: one per hot executable, the least recently used out.

A template that a call is using stays open until the call gives it back, whatever becomes
of its place in the cache.
"""

from __future__ import annotations

import errno
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Self

from agent_exec.errors import Closed, LaunchError, Step, TemplateError
from agent_exec.model.plan import TemplateUse
from agent_exec.template.directory import open_directory
from agent_exec.template.template import Template

_COUNTED_PER_TEMPLATE = 8


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What a cache has done since it was made, and what it holds now."""

    hits: int = 0
    misses: int = 0
    recreations: int = 0
    evictions: int = 0
    templates: int = 0
    """Open in the cache now."""


class _Entry:
    """A template and how many use it: the cache counts as one while it keeps it."""

    __slots__ = ("kept", "program", "template", "users")

    def __init__(self, program: str, template: Template, *, kept: bool) -> None:
        self.program = program
        self.template = template
        self.kept = kept
        self.users = 0


class Lease:
    """A template, on loan until `release`; also a context manager."""

    __slots__ = ("_cache", "_entry", "use")

    def __init__(self, cache: TemplateCache, entry: _Entry, use: TemplateUse) -> None:
        self._cache = cache
        self._entry: _Entry | None = entry
        self.use = use
        """How the template was come by."""

    @property
    def template(self) -> Template:
        """The template; its descriptor stays open until `release`."""
        assert self._entry is not None, "the lease was released"
        return self._entry.template

    def release(self) -> None:
        """Give the template back. Idempotent, from any thread."""
        self._cache._take_back(self)  # noqa: SLF001 - one class in two halves

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


class TemplateCache:
    """The templates of one worktree, for one process and its credentials.

    Thread-safe. A process that was forked from ours finds an empty cache.

    Args:
        worktree: The directory, absolute; opened for FCHDIR.
        hot_after: Launches of a program after which its template is kept; at least 1.
        max_templates: How many are kept; at least 1.
        credentials: What `Launcher.credentials` says; asked when a template is made.
    """

    def __init__(
        self,
        worktree: str,
        *,
        hot_after: int = 2,
        max_templates: int = 32,
        credentials: Callable[[], bytes],
    ) -> None:
        if hot_after < 1 or max_templates < 1:
            raise ValueError("hot_after and max_templates are at least 1")
        self.worktree = worktree
        self._hot_after = hot_after
        self._max_templates = max_templates
        self._credentials = credentials
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._launches: OrderedDict[str, int] = OrderedDict()
        self._hits = self._misses = self._recreations = self._evictions = 0
        self._directories: list[int] = []
        self._directory_key: tuple[int, int] | None = None
        self._closed = False
        weakref.finalize(self, _close_all, self._directories).atexit = False
        os.register_at_fork(after_in_child=partial(_forget, weakref.ref(self)))

    def lease(self, program: str) -> Lease:
        """The template of `program` (an absolute path), from the cache or made now.

        It may be stale: the launcher says so (ESTALE) before anything is started, and
        `renew` is the answer.

        Raises:
            TemplateError: It cannot be made; see `agent_exec.template.pin`.
            Closed: The cache was closed.
        """
        with self._lock:
            if self._closed:
                raise Closed("the template cache is closed")
            entry = self._entries.get(program)
            if entry is not None:
                self._entries.move_to_end(program)
                self._hits += 1
                entry.users += 1
                return Lease(self, entry, TemplateUse.HIT)
            self._misses += 1
            hot = self._count(program) >= self._hot_after
        return self._make(program, TemplateUse.MISS, keep=hot)

    def renew(self, lease: Lease) -> Lease:
        """A fresh template in place of a stale one, which is released.

        Calls that met the same stale template at once get the same fresh one.

        Raises:
            TemplateError: As `lease`; the stale one has been released all the same.
        """
        stale = lease._entry  # noqa: SLF001 - one class in two halves
        assert stale is not None, "the lease was released"
        self._forget_entry(stale)
        lease.release()
        with self._lock:
            current = self._entries.get(stale.program)
            if current is not None:
                current.users += 1
        if current is not None:
            fresh = Lease(self, current, TemplateUse.RECREATED)
            try:
                fresh.template.check()
            except TemplateError:  # the file has changed once more
                self._forget_entry(current)
                fresh.release()
            else:
                return fresh
        return self._make(stale.program, TemplateUse.RECREATED, keep=stale.kept)

    def directory(self) -> int:
        """The worktree's descriptor, for FCHDIR; borrowed, valid until `close`.

        Looked at anew each time: when the path names another directory than before, that
        one is opened. The old one stays open for the calls that are starting in it.

        Raises:
            LaunchError: At step cwd, when it cannot be opened.
            Closed: The cache was closed.
        """
        try:
            status = os.stat(self.worktree)
            key = (status.st_dev, status.st_ino)
            with self._lock:
                if self._closed:
                    raise Closed("the template cache is closed")
                if key != self._directory_key:
                    self._reopen()
                return self._directories[-1]
        except OSError as error:
            raise LaunchError(self.worktree, Step.CWD, error.errno or errno.EIO) from None

    @property
    def stats(self) -> CacheStats:
        """Counts since the cache was made."""
        with self._lock:
            return CacheStats(
                self._hits, self._misses, self._recreations, self._evictions, len(self._entries)
            )

    def close(self) -> None:
        """Drop every template; those on loan close when they are given back. Idempotent."""
        with self._lock:
            self._closed = True
            entries, self._entries = self._entries, OrderedDict()
            for entry in entries.values():
                self._drop(entry)
            self._launches.clear()
            self._close_directories()

    def _count(self, program: str) -> int:
        launches = self._launches.pop(program, 0) + 1
        self._launches[program] = launches
        if len(self._launches) > _COUNTED_PER_TEMPLATE * self._max_templates:
            self._launches.popitem(last=False)
        return launches

    def _make(self, program: str, use: TemplateUse, *, keep: bool) -> Lease:
        template = Template.create(program, credentials=self._credentials())
        entry = _Entry(program, template, kept=keep)
        entry.users = 1
        with self._lock:
            rival = self._entries.get(program) if keep else None
            if rival is not None:  # made meanwhile by another thread
                rival.users += 1
                entry.template.close()
                return Lease(self, rival, use)
            self._recreations += use is TemplateUse.RECREATED
            if not keep or self._closed:
                entry.kept = False
                return Lease(self, entry, use)
            self._entries[program] = entry
            entry.users += 1
            if len(self._entries) > self._max_templates:
                _, oldest = self._entries.popitem(last=False)
                self._evictions += 1
                self._drop(oldest)
        return Lease(self, entry, use)

    def _forget_entry(self, entry: _Entry) -> None:
        """Keep it no longer, unless another stands in its place already."""
        with self._lock:
            if self._entries.get(entry.program) is entry:
                del self._entries[entry.program]
                self._drop(entry)

    def _take_back(self, lease: Lease) -> None:
        with self._lock:
            entry, lease._entry = lease._entry, None  # noqa: SLF001 - one class in two halves
            if entry is not None:
                self._drop(entry)

    def _drop(self, entry: _Entry) -> None:
        """One user less; the last one closes the template. With the lock held."""
        entry.users -= 1
        if entry.users == 0:
            entry.template.close()

    def _reopen(self) -> None:
        directory = open_directory(self.worktree)
        self._directories.append(directory)
        status = os.fstat(directory)
        self._directory_key = (status.st_dev, status.st_ino)

    def _start_afresh(self) -> None:
        """After a fork: nothing of the parent's, whose lock may be held for ever."""
        self._lock = threading.Lock()
        for entry in self._entries.values():
            entry.template.close()
        self._entries = OrderedDict()
        self._close_directories()

    def _close_directories(self) -> None:
        _close_all(self._directories)
        self._directory_key = None


def _close_all(directories: list[int]) -> None:
    while directories:
        os.close(directories.pop())


def _forget(cache: weakref.ref[TemplateCache]) -> None:
    inherited = cache()
    if inherited is not None:
        inherited._start_afresh()  # noqa: SLF001 - the cache's own hook
