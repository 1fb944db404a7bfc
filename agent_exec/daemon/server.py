"""The daemon: one process a user, that listens while it is needed."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from agent_exec._version import __version__
from agent_exec.daemon.approvers import Approvers
from agent_exec.daemon.connection import Connection
from agent_exec.daemon.peer import Ourselves, check_peer
from agent_exec.daemon.places import Folder, Places
from agent_exec.daemon.protocol import as_line, make_token
from agent_exec.daemon.service import Service, ToolService
from agent_exec.daemon.services import Services
from agent_exec.errors import DaemonError
from agent_exec.named_tuple import NamedTuple

_BACKLOG = 128
_MOST_CONNECTIONS = 512
_SWEEP_S = 30.0
_REST_S = 0.2


class Settings(NamedTuple):
    """What tests have otherwise than users."""

    idle_s: float = 900.0
    """Seconds without a client after which it ends."""
    drain_s: float = 10.0
    """Seconds that calls have to end when it is told to; then they are killed."""
    service_idle_s: float = 900.0
    """Seconds after which the templates of a worktree are let go."""
    version: str = __version__
    make: Callable[[str, str], Service] = ToolService


class Server:
    """Listens on the socket of `places`, whose daemon it is as soon as it is made.

    Raises:
        DaemonError: There is one already; a directory is open to others.
        OSError: The socket or the token cannot be made.
    """

    def __init__(self, places: Places, settings: Settings) -> None:
        self._places = places
        self._settings = settings
        self._self = Ourselves.now()
        self._began = time.monotonic()
        self.services = Services(settings.make, idle_s=settings.service_idle_s)
        self.approvers = Approvers()
        self._connections: dict[Connection, asyncio.Task[None]] = {}
        self._served = 0
        self._why_drained: str | None = None
        self._news = asyncio.Event()
        with Folder(places.secrets, make=True):
            pass
        self._folder = Folder(places.runtime, make=True)
        try:
            self._lock = _lock(places.lock)
            try:
                self.token = make_token(places.token)
                self._listener, self._socket_id = self._listen()
            except BaseException:
                os.close(self._lock)
                raise
        except BaseException:
            self._folder.__exit__()
            raise

    def _listen(self) -> tuple[socket.socket, tuple[int, int]]:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # Whose it was is gone: we have the lock.
            with suppress(FileNotFoundError):
                os.unlink(self._places.socket)
            before = os.umask(0o177)
            try:
                listener.bind(self._folder.address(os.path.basename(self._places.socket)))
            finally:
                os.umask(before)
            listener.listen(_BACKLOG)
            listener.setblocking(False)
            found = os.stat(self._places.socket)
        except BaseException:
            listener.close()
            raise
        return listener, (found.st_dev, found.st_ino)

    async def run(self, ready: Callable[[], None]) -> None:
        """Serve until there is nothing to do, or a signal says so.

        Args:
            ready: Called when clients can connect.
        """
        loop = asyncio.get_running_loop()
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(signum, self._on_signal, signum)
        loop.add_reader(self._listener, self._accept)
        ready()
        try:
            await self._until_idle()
            await self._until_drained()
        finally:
            self._stop_listening()
            for task in self._connections.values():
                task.cancel()
            await asyncio.gather(*self._connections.values(), return_exceptions=True)
            self.services.close()
            self._folder.__exit__()

    @property
    def draining(self) -> bool:
        """See `Host`."""
        return self._why_drained is not None

    def drain(self, why: str) -> None:
        """Take no new ones, finish what is there, end. The socket is free at once."""
        if self._why_drained is None:
            self._why_drained = why
            self._stop_listening()
        self._news.set()

    def status(self) -> dict[str, Any]:
        """See `Host`."""
        return {
            "pid": os.getpid(),
            "version": self._settings.version,
            "uptime_s": round(time.monotonic() - self._began, 3),
            "connections": len(self._connections),
            "in_flight": sum(one.in_flight for one in self._connections),
            "services": len(self.services),
            "connections_served": self._served,
            "draining": self._why_drained,
            "socket": self._places.socket,
        }

    def _on_signal(self, signum: int) -> None:
        if self.draining and self._why_drained == "a signal":
            self._settings = self._settings._replace(drain_s=0.0)  # the second one: at once
        self.drain("a signal")
        self._why_drained = "a signal"
        del signum

    def _stop_listening(self) -> None:
        if self._listener.fileno() < 0:
            return
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()
        with suppress(FileNotFoundError):
            found = os.stat(self._places.socket)
            if (found.st_dev, found.st_ino) == self._socket_id:
                os.unlink(self._places.socket)
        os.close(self._lock)

    def _accept(self) -> None:
        while True:
            try:
                connected, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError:
                self._rest()
                return
            try:
                connected.setblocking(False)
                if len(self._connections) >= _MOST_CONNECTIONS:
                    raise DaemonError(f"{_MOST_CONNECTIONS} clients are there already", "busy")
                peer = check_peer(connected, self._self)
            except DaemonError as error:
                refusal = {"id": None, "error": {"code": error.code, "message": str(error)}}
                with suppress(OSError), connected:
                    connected.send(as_line(refusal))
                continue
            self._served += 1
            connection = Connection(self, connected, peer, self._served, self._settings.version)
            task = asyncio.get_running_loop().create_task(connection.serve())
            self._connections[connection] = task
            task.add_done_callback(partial(self._gone, connection))
            self._news.set()

    def _rest(self) -> None:
        """No descriptor is left: who waits is let wait, without asking the kernel in a circle."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listener)
        loop.call_later(_REST_S, self._listen_on)

    def _listen_on(self) -> None:
        if self._listener.fileno() >= 0:
            asyncio.get_running_loop().add_reader(self._listener, self._accept)

    def _gone(self, connection: Connection, _task: asyncio.Task[None]) -> None:
        del self._connections[connection]
        self._news.set()

    async def _until_idle(self) -> None:
        """Until nobody was there for a while, or it is to end."""
        since = time.monotonic()
        while not self.draining:
            if self._connections or not self.services.all_idle():
                since = time.monotonic()
            left = since + self._settings.idle_s - time.monotonic()
            if left <= 0:
                self.drain("nobody was there")
                return
            await self._next_news(min(left, _SWEEP_S))
            self.services.sweep()

    async def _until_drained(self) -> None:
        """Until what runs has ended. For a newer daemon that takes as long as it takes."""
        began = time.monotonic()
        while any(one.in_flight for one in self._connections):
            if self._why_drained == "a signal":
                if time.monotonic() - began >= self._settings.drain_s:
                    return
            else:
                began = time.monotonic()
            await self._next_news(0.05)

    async def _next_news(self, timeout_s: float) -> None:
        self._news.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._news.wait()


def _lock(path: str) -> int:
    """The lock of the daemon that listens, which ends with its process.

    Raises:
        DaemonError: Somebody else has it.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise DaemonError("there is a daemon already", "busy") from None
    return lock
