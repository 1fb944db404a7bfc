"""What the sandbox has refused, in words for who sent the call.

What is known is told as it is: a socket, a limit that ended a program. Of a file the kernel tells
nobody; there the words of the program itself, and what was withheld from it, make it likely.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence

from agent_exec.model.result import ToolResult
from agent_exec.model.rights import Rights
from agent_exec.named_tuple import NamedTuple
from agent_exec.policy.paths import is_beneath, normal
from agent_exec.regex import regex
from agent_exec.sandbox.limits import Bounds

_REFUSED = regex(
    r"permission denied|operation not permitted|access denied|\bEACCES\b|\bEPERM\b"
    r"|PermissionError|invalid cross-device link|read-only file system|\bEROFS\b",
    re.IGNORECASE,
)
_READ_ONLY = regex(r"read-only file system|\bEROFS\b", re.IGNORECASE)
_NETWORK = regex(
    r"could ?n.t resolve|could not resolve|name resolution|name or service not known|getaddrinfo"
    r"|\bsocket\b|\bconnect|network is unreachable|unable to access 'https?:|EAI_AGAIN|ENOTFOUND"
    r"|newconnectionerror|netlink|cannot talk to rtnetlink|bus_open|docker daemon",
    re.IGNORECASE,
)
_MEMORY = regex(
    r"cannot allocate memory|out of memory|MemoryError|bad_alloc|\bENOMEM\b", re.IGNORECASE
)
_PROCESSES = regex(
    r"fork.*resource temporarily unavailable|\bEAGAIN\b.*spawn|spawn.*\bEAGAIN\b"
    r"|can.t start new thread|pthread_create failed",
    re.IGNORECASE,
)
_QUOTES = "'\"`\u2018\u2019"
_PATH = regex(
    rf"""[{_QUOTES}]([^{_QUOTES}\n]+)[{_QUOTES}]|(?:^|[\s:=(])((?:~|\.{{0,2}}/)[^\s:,;'")]+)"""
)
_NOT_FOUND = regex(r"no such file or directory|\bENOENT\b", re.IGNORECASE)
_BEFORE = regex(r"(?:^|:\s+)([^\s:][^:\n]*):\s+(?:permission denied|no such file)", re.IGNORECASE)
_EXECUTES = regex(
    r"(?:cannot|can't|could not|failed to) (?:exec|run|spawn)|\bexecv|\bexec\b.{0,40} failed",
    re.IGNORECASE,
)
_MOST = 4
_MOST_LINES = 2000


class Withheld(NamedTuple):
    """One stage that was confined."""

    argv: tuple[str, ...]
    program: str
    rights: Rights
    boxed: bool = False
    """In bubblewrap, with a network of its own."""


def denials(
    withheld: Sequence[Withheld], result: ToolResult, bounds: Bounds, *, cwd: str
) -> tuple[str, ...]:
    """Notices of what was refused; empty where nothing seems to have been.

    Args:
        withheld: Of the stages.
        result: Of the call.
        bounds: That held every process.
        cwd: Where it worked.
    """
    failed = any(stage.exit_code or stage.signal for stage in result.stages)
    # Where nothing has failed, and nothing was complained of, nothing was refused.
    if not withheld or not (failed or result.stderr.head or result.stderr.tail):
        return ()
    said = [
        *_by_signal(result, bounds),
        *_by_text(withheld, result, bounds, cwd),
    ]
    return tuple(dict.fromkeys(said))[:_MOST]


def _by_signal(result: ToolResult, bounds: Bounds) -> Iterator[str]:
    for stage in result.stages:
        name = stage.argv[0] if stage.argv else "a program"
        if stage.signal == "SIGXCPU":
            yield f"{name} was ended because it has used all the processor time that a call may"
        elif stage.signal == "SIGXFSZ":
            yield f"{name} was ended because a file grew beyond limits.file_mib: {bounds.file_mib}"
        elif stage.signal == "SIGSYS":
            yield f"{name} was ended because it made a system call of another architecture"


def _by_text(
    withheld: Sequence[Withheld], result: ToolResult, bounds: Bounds, cwd: str
) -> Iterator[str]:
    lines = f"{result.stderr.head}\n{result.stderr.tail}".splitlines()[-_MOST_LINES:]
    failed = any(stage.exit_code or stage.signal for stage in result.stages)
    for each in withheld:
        if failed and _gains_privilege(each.program):
            yield (
                f"{each.argv[0]} is to run as another user, and no program gains rights in the"
                " sandbox"
            )
    offline = [each for each in withheld if not each.rights.network]
    if offline and any(map(_NETWORK.search, lines)):
        names = ", ".join(dict.fromkeys(_name(each) for each in offline))
        refused = "every socket was refused"
        if offline[0].boxed:
            refused = "there was none but a loopback of its own, and no socket of another family"
        yield (
            f"{names} had no right to use the network, so {refused}; a command that is known to"
            " use it is asked about, and gets it"
        )
    for line in lines:
        if _REFUSED.search(line) is not None and not (offline and _NETWORK.search(line)):
            yield _of_file(withheld, line, cwd)
        elif _NOT_FOUND.search(line) is not None:
            hidden = (_not_there(withheld, path) for path in _paths(line, cwd))
            yield from filter(None, hidden)
    if bounds.memory_mib is not None and any(map(_MEMORY.search, lines)):
        yield f"likely the limit of memory: limits.memory_mib is {bounds.memory_mib}"
    if bounds.processes is not None and any(map(_PROCESSES.search, lines)):
        yield f"likely the limit of processes: limits.processes is {bounds.processes}"


def _of_file(withheld: Sequence[Withheld], line: str, cwd: str) -> str:
    names = ", ".join(dict.fromkeys(map(_name, withheld)))
    if _EXECUTES.search(line) is not None and not any(each.rights.code for each in withheld):
        return (
            f"likely the sandbox: {names} had no right to execute another program; run that by a"
            " command of its own"
        )
    changed = _READ_ONLY.search(line) is not None
    for path in _paths(line, cwd):
        missing = _missing(withheld, path, changed=changed)
        if missing is not None:
            return f"likely the sandbox: {names} had no right to {missing[0]} {path}; {missing[1]}"
    if any(each.rights.code for each in withheld):
        may = "what lies in the worktree and in its temp directory"
    elif any(each.rights.make or each.rights.remove for each in withheld):
        may = "what its words name"
    else:
        may = "nothing but its temp directory"
    return (
        f"perhaps the sandbox: {names} may change {may}, and read what sandbox.read of the"
        " policy lists; a file that a command names is asked about, and added"
    )


def _not_there(withheld: Sequence[Withheld], path: str) -> str | None:
    """Of a file that is there, and was not in bubblewrap; None: that is not so."""
    real = os.path.realpath(path)
    named = [
        place
        for each in withheld
        for place in (*each.rights.read, *each.rights.execute, *each.rights.write)
    ]
    if not any(each.boxed for each in withheld) or not os.path.lexists(path):
        return None
    if _is_in(real, (*named, "/proc", "/dev")):
        return None
    names = ", ".join(dict.fromkeys(map(_name, withheld)))
    return (
        f"likely the sandbox: {path} was not there for {names}, which had no right to it; name it"
        " in a command, or have sandbox.read of the policy list it"
    )


def _missing(withheld: Sequence[Withheld], path: str, *, changed: bool) -> tuple[str, str] | None:
    """The right to `path` that no stage had, and how to get it; None: it is not for the sandbox.

    Args:
        changed: It was to be, for certain.
    """
    real = os.path.realpath(path)
    for each in withheld:
        rights = each.rights
        if _is_in(real, rights.write) or real in rights.make:
            return None
    if not changed and not any(
        _is_in(real, (*each.rights.read, *each.rights.execute)) for each in withheld
    ):
        if os.path.exists(real) and not os.access(real, os.R_OK):
            return None
        return "read", "name it in a command, or have sandbox.read of the policy list it"
    if not os.access(real if os.path.exists(real) else os.path.dirname(real), os.W_OK):
        return None
    return "change", "a command that says so by its words is asked about, and gets it"


def _paths(line: str, cwd: str) -> Iterator[str]:
    """Absolute paths that a message may be about, the last first."""
    found = [one or other for one, other in _PATH.findall(line)]
    for text in reversed(found or _BEFORE.findall(line)):
        path = normal(os.path.join(cwd, os.path.expanduser(text.strip())))
        # Between colons may as well stand what went wrong.
        if "\0" not in path and (found or " " not in text.strip() or os.path.lexists(path)):
            yield path


def _gains_privilege(program: str) -> bool:
    try:
        status = os.stat(program)
    except OSError:
        return False
    sets = status.st_mode & (stat.S_ISUID | stat.S_ISGID)
    return bool(sets) and status.st_uid != os.geteuid()


def _name(each: Withheld) -> str:
    return each.argv[0] if each.argv else os.path.basename(each.program)


def _is_in(path: str, folders: Sequence[str]) -> bool:
    return any(is_beneath(path, folder) for folder in folders)
