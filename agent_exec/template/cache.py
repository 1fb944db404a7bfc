"""The spawn templates of one worktree: one per hot executable, the least recently used out.

A template that a call is using stays open until the call gives it back, whatever becomes
of its place in the cache.
"""

from __future__ import annotations

import errno
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from types import TracebackType
from typing import Self

from agent_exec.errors import Closed, LaunchError, Step, TemplateError
from agent_exec.model.plan import TemplateUse
from agent_exec.named_tuple import NamedTuple
from agent_exec.template.change import what_changed
from agent_exec.template.directory import Directory
from agent_exec.template.holder import Holder
from agent_exec.template.template import Template

HOT_AFTER = 2
"""Launches of a program from which on its template is kept, when nothing else is said."""
MAX_TEMPLATES = 32
"""Templates that are kept, when nothing else is said."""
_COUNTED_PER_TEMPLATE = 8


class CacheStats(NamedTuple):
    """What a cache has done since it was made, and what it holds now."""

    hits: int = 0
    misses: int = 0
    recreations: int = 0
    """Templates made in place of stale ones."""
    evictions: int = 0
    templates: int = 0
    """Open in the cache now."""


class _Entry:
    """A template and how many use it: the cache counts as one while it keeps it."""

    __slots__ = ("hot", "program", "template", "users")

    def __init__(self, program: str, template: Template, *, hot: bool) -> None:
        self.program = program
        self.template = template
        self.hot = hot
        self.users = 1


class Lease:
    """A template, on loan until `release`; also a context manager."""

    __slots__ = ("_cache", "_entry", "because", "use")

    def __init__(self, cache: TemplateCache, entry: _Entry, use: TemplateUse) -> None:
        self._cache = cache
        self._entry: _Entry | None = entry
        self.use = use
        """How the template was come by."""
        self.because: str | None = None
        """Why it was made again; None when it was not."""

    @property
    def template(self) -> Template:
        """The template; its descriptor stays open until `release`."""
        assert self._entry is not None, "the lease was released"
        return self._entry.template

    def release(self) -> None:
        """Give the template back. Idempotent, also among threads."""
        self._cache._give_back(self)  # noqa: SLF001 - one class in two halves

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
        holder: Keeps writers from the file of every template, those of one launch included.
    """

    def __init__(
        self,
        worktree: str,
        *,
        hot_after: int = HOT_AFTER,
        max_templates: int = MAX_TEMPLATES,
        credentials: Callable[[], bytes],
        holder: Holder | None = None,
    ) -> None:
        if hot_after < 1 or max_templates < 1:
            raise ValueError("hot_after and max_templates are at least 1")
        self.worktree = worktree
        self._hot_after = hot_after
        self._max_templates = max_templates
        self._credentials = credentials
        self._holder = holder
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._locks: dict[int, threading.Lock] = {}
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._launches: OrderedDict[str, int] = OrderedDict()
        self._hits = self._misses = self._recreations = self._evictions = 0
        self._directory: Directory | None = None
        self._closed = False

    def lease(self, program: str) -> Lease:
        """The template of `program` (an absolute path), from the cache or made now.

        It may be stale: the launcher says so (ESTALE) before anything is started, and
        `renew` is the answer.

        Raises:
            TemplateError: It cannot be made; see `agent_exec.template.pin`.
            LaunchError: Writers cannot be kept from it.
            Closed: The cache was closed.
        """
        if self._pid != os.getpid():
            self._in_child()
        with self._lock:
            cached = self._lend(program, TemplateUse.HIT)
            if cached is not None:
                self._hits += 1
                return cached
            self._misses += 1
            hot = self._count(program) >= self._hot_after
        return self._make(program, TemplateUse.MISS, hot=hot)

    def is_stale(self, program: str) -> bool:
        """Is there a template of `program`, and the file another, or changed, since?

        Raises:
            Closed: The cache was closed.
        """
        if self._pid != os.getpid():
            self._in_child()
        with self._lock:
            kept = self._lend(program, TemplateUse.HIT)
        if kept is None:
            return False
        with kept as lease:
            try:
                lease.template.check()
            except TemplateError:
                return True
        return False

    def renew(self, lease: Lease) -> Lease:
        """A fresh template in place of a stale one, which is released.

        Calls that met the same stale template at once get the same fresh one.

        Raises:
            TemplateError, LaunchError, Closed: As `lease`; the stale one has been released
                all the same.
        """
        stale = lease._entry  # noqa: SLF001 - one class in two halves
        assert stale is not None, "the lease was released"
        before = stale.template.executable.identity
        self._discard(lease)
        fresh = self._in_place_of(stale)
        fresh.because = what_changed(before, fresh.template.executable.identity)
        return fresh

    def _in_place_of(self, stale: _Entry) -> Lease:
        with self._alone():
            current = self._lend(stale.program, TemplateUse.RECREATED)
        if current is not None:
            if self._is_true(current.template):
                return current
            self._discard(current)
        return self._make(stale.program, TemplateUse.RECREATED, hot=stale.hot)

    def directory(self) -> Directory:
        """The worktree, open for FCHDIR.

        Looked at anew each time: when the path names another directory than before, that
        one is opened. The old one stays open while a call that starts in it refers to it.

        Raises:
            LaunchError: At step cwd, when it cannot be opened.
            Closed: The cache was closed.
        """
        try:
            current = self._directory
            if current is not None and current.is_at(self.worktree):
                return current
            current = Directory(self.worktree)
        except OSError as error:
            raise LaunchError(self.worktree, Step.CWD, error.errno or errno.EIO) from None
        with self._alone():
            self._refuse_if_closed()
            self._directory = current
        return current

    @property
    def stats(self) -> CacheStats:
        """Counts since the cache was made."""
        with self._alone():
            return CacheStats(
                self._hits, self._misses, self._recreations, self._evictions, len(self._entries)
            )

    def close(self) -> None:
        """Drop every template; those on loan close when they are given back. Idempotent."""
        with self._alone():
            self._closed = True
            entries, self._entries = self._entries, OrderedDict()
            for entry in entries.values():
                self._drop(entry)
            self._launches.clear()
            self._directory = None

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise Closed("the template cache is closed")

    def _lend(self, program: str, use: TemplateUse) -> Lease | None:
        """The template that is in the cache, if one is. With the lock held."""
        self._refuse_if_closed()
        entry = self._entries.get(program)
        if entry is None:
            return None
        self._entries.move_to_end(program)
        entry.users += 1
        return Lease(self, entry, use)

    def _count(self, program: str) -> int:
        launches = self._launches.pop(program, 0) + 1
        self._launches[program] = launches
        if len(self._launches) > _COUNTED_PER_TEMPLATE * self._max_templates:
            self._launches.popitem(last=False)
        return launches

    def _is_true(self, template: Template) -> bool:
        try:
            template.check()
        except TemplateError:
            return False
        return template.executable.credentials == self._credentials()

    def _make(self, program: str, use: TemplateUse, *, hot: bool) -> Lease:
        template = Template.create(program, credentials=self._credentials(), busy=True)
        if self._holder is not None:
            template.hold_by(self._holder)
        with self._alone():
            rival = self._entries.get(program) if hot else None
            if rival is not None and rival.template.is_twin_of(template):
                template.close()  # another thread has made the same meanwhile
                rival.users += 1
                return Lease(self, rival, use)
            self._recreations += use is TemplateUse.RECREATED
            entry = _Entry(program, template, hot=hot)
            if hot and rival is None and not self._closed:
                self._keep(entry)
        return Lease(self, entry, use)

    def _keep(self, entry: _Entry) -> None:
        self._entries[entry.program] = entry
        entry.users += 1
        if len(self._entries) > self._max_templates:
            _, oldest = self._entries.popitem(last=False)
            self._evictions += 1
            self._drop(oldest)

    def _discard(self, lease: Lease) -> None:
        """Give back a template that is not to be lent again."""
        entry = lease._entry  # noqa: SLF001 - one class in two halves
        with self._alone():
            if entry is not None and self._entries.get(entry.program) is entry:
                del self._entries[entry.program]
                self._drop(entry)
        lease.release()

    def _give_back(self, lease: Lease) -> None:
        if self._pid != os.getpid():
            self._in_child()
        with self._lock:
            entry, lease._entry = lease._entry, None  # noqa: SLF001 - one class in two halves
            if entry is not None:
                self._drop(entry)

    def _drop(self, entry: _Entry) -> None:
        """One user less; the last one closes the template. With the lock held."""
        entry.users -= 1
        if entry.users == 0:
            entry.template.close()

    def _alone(self) -> threading.Lock:
        """The lock of this process; in a forked child, when nothing of the parent's is left.

        The parent's lock may be held for ever, by a thread that the child does not have. A
        hook for forks would outlive the cache: the interpreter cannot take one back.
        """
        if self._pid != os.getpid():
            self._in_child()
        return self._lock

    def _in_child(self) -> None:
        pid = os.getpid()
        lock = self._locks.setdefault(pid, threading.Lock())  # the same for every thread
        with lock:
            if pid != self._pid:
                self._start_afresh()
                self._lock, self._pid = lock, pid

    def _start_afresh(self) -> None:
        for entry in self._entries.values():
            entry.template.close()
        self._entries = OrderedDict()
        self._directory = None
