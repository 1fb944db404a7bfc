"""Who is at the other end of a connection, and whether a call has started them.

A child of a call has our user id, so the user id proves little. Three things give a child away:
its ancestors, the mark in the environment of it or of one of them, and its cgroup. One that has
left its parents, its environment and (where calls have one) its cgroup behind is not known by
any of these, and is kept out by the token, which no sandbox profile lets it read.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct

from agent_exec.errors import DaemonError
from agent_exec.named_tuple import NamedTuple
from agent_exec.regex import regex
from agent_exec.runtime.environment import is_mark

_CREDENTIALS = struct.Struct("iII")
_PEERPIDFD = 77  # SO_PEERPIDFD, Linux 6.5; <asm-generic/socket.h>
_MOST_ANCESTORS = 256
# docs/concepts/launcher.md: OURS/agent_exec-PID-START-RANDOM/
_CALL_CGROUP = regex(rb"/agent_exec-\d+-")


class Kin(NamedTuple):
    """What is known of one process."""

    pid: int
    parent: int
    """0: there is none in our pid namespace."""
    started: int
    """Clock ticks since boot."""


class Ourselves(NamedTuple):
    """This process, as peers are compared with it. Made once, before any call."""

    pid: int
    started: int
    ancestors: frozenset[int]
    marks: frozenset[bytes]
    """Of a call that this process itself belongs to."""
    in_call_cgroup: bool

    @classmethod
    def now(cls) -> Ourselves:
        """For the calling process."""
        pid = os.getpid()
        kin = _ancestry(pid)
        return cls(
            pid=pid,
            started=kin[0].started,
            ancestors=frozenset(one.pid for one in kin[1:]),
            marks=frozenset().union(*(_marks(one.pid) for one in kin)),
            in_call_cgroup=_is_in_call_cgroup(pid),
        )


class Peer(NamedTuple):
    """A client, checked."""

    pid: int
    may_approve: bool
    """It is certain that no call has started it."""


def check_peer(connected: socket.socket, daemon: Ourselves) -> Peer:
    """Who has connected.

    Raises:
        DaemonError: ``not_trusted``: another user, or what a call has started; or it has ended
            meanwhile.
    """
    pid, uid, _ = _CREDENTIALS.unpack(
        connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    if uid != os.geteuid():
        raise DaemonError(f"this daemon serves user {os.geteuid()}, not {uid}", "not_trusted")
    if pid == 0:
        raise DaemonError("a client of another pid namespace cannot be known", "not_trusted")
    pidfd = _pidfd(connected, pid)
    try:
        kin = _ancestry(pid)
        if why := _why_child(kin, daemon):
            raise DaemonError(f"a program of a call is not served: {why}", "not_trusted")
        # All that was read is of this process, if its number cannot have been used again.
        if pidfd is None or select.select([pidfd], [], [], 0)[0]:
            raise DaemonError(f"the client (pid {pid}) has ended", "not_trusted")
    except OSError as error:
        raise DaemonError(
            f"the client (pid {pid}) cannot be known: {error}", "not_trusted"
        ) from None
    finally:
        if pidfd is not None:
            os.close(pidfd)
    return Peer(pid, _is_no_child(kin, daemon))


def _pidfd(connected: socket.socket, pid: int) -> int | None:
    """Of who has connected; None when it has ended."""
    try:
        found = connected.getsockopt(socket.SOL_SOCKET, _PEERPIDFD, 4)
        return int(struct.unpack("i", found)[0])
    except OSError as error:
        if error.errno != errno.ENOPROTOOPT:
            return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _why_child(kin: list[Kin], daemon: Ourselves) -> str | None:
    """By what it is known that a call has started the first of `kin`."""
    for one in kin[1:]:
        if one.pid == daemon.pid:
            return f"pid {kin[0].pid} descends from the daemon"
    if not daemon.in_call_cgroup and _is_in_call_cgroup(kin[0].pid):
        return f"pid {kin[0].pid} is in the cgroup of a call"
    for one in kin:
        if one.pid in daemon.ancestors or one.pid == daemon.pid:
            break
        if _marks(one.pid) - daemon.marks:
            return f"pid {one.pid} has the mark of a call in its environment"
    return None


def _is_no_child(kin: list[Kin], daemon: Ourselves) -> bool:
    """Is it certain that no call of this daemon has started the first of `kin`?

    A process gets another parent only when its own has ended, and then a living ancestor of
    that one: for what a call has left behind that is an ancestor of the daemon. So who
    descends from a process that is older than the daemon and none of its ancestors is no child.
    """
    if kin[0].started < daemon.started:
        return True
    if kin[-1].parent == 0 and kin[-1].pid != 1 and kin[-1].pid not in daemon.ancestors:
        return True  # from outside of our pid namespace, which no orphan gets to
    return any(one.started < daemon.started and one.pid not in daemon.ancestors for one in kin[1:])


def _ancestry(pid: int) -> list[Kin]:
    """The process itself, its parent, and so on.

    Raises:
        OSError: The process is not there. A parent that ends meanwhile ends the list.
    """
    kin = [_kin(pid)]
    while kin[-1].parent and len(kin) < _MOST_ANCESTORS:
        try:
            kin.append(_kin(kin[-1].parent))
        except FileNotFoundError:
            # It has just ended: ask again who the parent is.
            again = _kin(kin[-1].pid)
            if again.parent == kin[-1].parent:
                break
            kin[-1] = again
    return kin


def _kin(pid: int) -> Kin:
    # The name in parentheses may hold anything, parentheses too.
    words = _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return Kin(pid, int(words[1]), int(words[19]))


def _marks(pid: int) -> frozenset[bytes]:
    """The marks of calls in the environment that it was started with."""
    try:
        environment = _read(f"/proc/{pid}/environ")
    except OSError:
        return frozenset()  # another user's: an ancestor such as sshd
    words = environment.split(b"\0")
    return frozenset(word for word in words if is_mark(os.fsdecode(word.partition(b"=")[0])))


def _is_in_call_cgroup(pid: int) -> bool:
    try:
        return _CALL_CGROUP.search(_read(f"/proc/{pid}/cgroup")) is not None
    except FileNotFoundError:
        return False


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read()
