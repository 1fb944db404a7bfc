"""Rights -> the words that bubblewrap is called with, and what is done inside. Pure.

What Landlock would allow of the file system is all that is mounted: the rest is not there. Inside,
the program is confined as it is without, by Landlock and a filter.

Source:
    bwrap(1) of bubblewrap 0.8; `agent_exec/_native/inside.c` for the orders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from agent_exec.model.plan import Executable
from agent_exec.named_tuple import NamedTuple
from agent_exec.sandbox import landlock
from agent_exec.sandbox.landlock import Where

INSIDE: Final = "/dev/agent_exec/inside"
_TOLD: Final = "/dev/agent_exec/told"
# Made by bubblewrap itself, with nothing of ours in it.
_ITS_OWN: Final = ("/proc", "/dev")
_DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
_OWN_DEVICES: Final = frozenset({"/dev", "/dev/shm", "/dev/pts", *_DEVICES})
# Of much in it a program needs a little, and a mount for each would take ten times as long.
_CONFIGURATION: Final = "/etc"
_TEMPORARY: Final = ("/tmp", "/var/tmp")
_NAMESPACES: Final = (
    *("--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts"),
    "--unshare-cgroup-try",
)


class Place(NamedTuple):
    """What one child finds."""

    accesses: Mapping[str, int]
    """By path, as Landlock has them."""
    seen: Mapping[str, Where]
    """What the paths named when that was worked out; None: nothing."""
    links: Mapping[str, str]
    """Symbolic links to what is there, by path."""
    home: str
    """A directory that is there, and empty but for what was granted."""
    tmp: str | None
    """The temp directory of the call, which `/tmp` is another name of."""


def mounts(place: Place) -> tuple[str, ...]:
    """The words for the file system, in the order in which it is made."""
    words: list[str] = []
    bound: dict[str, bool] = {}
    there = {
        path: bool(access & landlock.WRITING)
        for path, access in place.accesses.items()
        if place.seen.get(path) is not None and not _is_in(path, _ITS_OWN)
    }
    if any(_is_beneath(path, _CONFIGURATION) for path in there):
        there.setdefault(_CONFIGURATION, False)
    for path, writable in sorted(there.items()):
        above = [writes for each, writes in bound.items() if _is_beneath(path, each)]
        if any(above) or (above and not writable):
            continue
        bound[path] = writable
        # It may be gone since it was looked at, and then gives nothing.
        words += ("--bind-try" if writable else "--ro-bind-try", path, path)
    words += ("--proc", "/proc", "--dev", "/dev")
    for path in sorted(place.accesses):
        if _is_beneath(path, "/dev") and path not in _OWN_DEVICES and place.seen.get(path):
            words += ("--dev-bind-try", path, path)
    if "/" in bound:
        return tuple(words)
    for path in (*_TEMPORARY, place.home):
        exists = any(_is_beneath(each, path) or _is_beneath(path, each) for each in bound)
        if path not in place.links and not exists:
            shared = place.tmp is not None and path in _TEMPORARY
            words += ("--bind", place.tmp or "", path) if shared else ("--dir", path)
    for path, target in sorted(place.links.items()):
        through = [each for each in place.links if each != path and _is_beneath(path, each)]
        exists = any(_is_beneath(path, each) or _is_beneath(each, path) for each in bound)
        if not through and not exists:
            words += ("--symlink", target, path)
    return (*words, "--remount-ro", "/")


def outer(mounted: Sequence[str], image: str, told: str, *, network: bool) -> tuple[str, ...]:
    """The words after the name of bubblewrap, up to those of the program inside.

    Args:
        mounted: See `mounts`.
        image: The program that carries out the orders.
        told: A file for what it tells.
        network: That of the machine.
    """
    return (
        *_NAMESPACES,
        *(() if network else ("--unshare-net",)),
        *("--die-with-parent", "--as-pid-1", "--cap-drop", "ALL"),
        *mounted,
        *("--ro-bind", image, INSIDE, "--bind", told, _TOLD),
        *("--", INSIDE),
    )


def orders(
    ruled: Sequence[str],
    executable: Executable,
    directory: tuple[int, int] | None,
    *,
    abi: int,
    scoped: int,
    filter_: bytes,
) -> tuple[str, ...]:
    """What is done inside before the program is executed.

    Args:
        ruled: See `rules`.
        executable: The program.
        directory: Device and inode of the one that it works in; None: any.
        abi: The version of Landlock.
        scoped: What of it stays within the call.
        filter_: A seccomp filter.
    """
    identity, path = executable.identity, executable.name
    called = executable.called
    return (
        f"s{_TOLD}",
        *(() if directory is None else (f"c{_numbers(*directory)}",)),
        f"p{_numbers(identity.dev, identity.ino, identity.mode, identity.ctime_ns)}{path}",
        *(() if called is None else (f"n{_text(called)}",)),
        *(("q",) if executable.script else ()),
        # Of a network of its own nothing is withheld, and of the machine's it is granted.
        f"h{_numbers(landlock.handled_fs(abi), 0, scoped, landlock.OF_FILES)}",
        *ruled,
        f"f{filter_.hex()}",
        "-",
    )


def rules(place: Place) -> tuple[str, ...]:
    """What Landlock allows inside, as orders."""
    # Its processes are all that it sees.
    made = [f"l{_numbers(landlock.READING, 0, 0)}/proc"]
    for path, access in place.accesses.items():
        where = place.seen.get(path)
        if where is not None and not _is_beneath(path, "/proc"):
            seen = (0, 0) if _is_beneath(path, "/dev") else where
            made.append(f"l{_numbers(access, *seen)}{path}")
    return tuple(made)


def environment(words: Sequence[bytes]) -> tuple[bytes, ...]:
    """The environment of bubblewrap, in which that of a program has no say."""
    return tuple([b"+" + word for word in words])


def _numbers(*numbers: int) -> str:
    return "".join(f"{number:x}:" for number in numbers)


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")


def _is_beneath(path: str, folder: str) -> bool:
    return f"{path.rstrip('/')}/".startswith(f"{folder.rstrip('/')}/")


def _is_in(path: str, folders: Sequence[str]) -> bool:
    return any(_is_beneath(path, folder) for folder in folders)
