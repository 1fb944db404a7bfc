"""What has to be executed for a program to run: its interpreter, its loader, its helpers."""

from __future__ import annotations

import glob
import os
import stat
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

_HEAD = 4096
_ELF = b"\x7fELF"
_PT_INTERP = 3
_MOST_INTERPRETERS = 5
_MOST_TRIES = 16
_ENV_OPTIONS_WITH_VALUE = ("-u", "-C")
# They read what was packed, and write to a pipe.
_UNPACKERS = ("gzip", "bzip2", "xz", "zstd", "lz4", "lzip", "lzop", "brotli", "cat")
_DPKG = ("dpkg", "dpkg-query", "dpkg-deb", "dpkg-split")
_HELPERS = {
    **dict.fromkeys(("dpkg", "apt", "apt-get", "apt-cache", "apt-mark"), _DPKG),
    "tar": ("sh",),  # what packs is run by it
    "man": (
        *("groff", "nroff", "troff", "grotty", "preconv", "tbl", "eqn", "pic", "refer", "col"),
        *("iconv", "locale", "manconv", "zsoelim", "less"),
    ),
}
_HELPER_FOLDERS = {
    "git": ("/usr/lib/git-core", "/usr/libexec/git-core"),
    **dict.fromkeys(("apt-get", "apt-cache", "apt-mark"), ("/usr/lib/apt",)),
}
# Their names have a target before, and a version behind them.
_COMPILERS = frozenset({"gcc", "g++", "cc", "c++", "cpp", "gfortran", "clang", "clang++", "rustc"})
_LINKED_WITH = ("cc", "gcc", "as", "ld", "ld.bfd", "ld.gold", "ld.lld", "ar", "nm", "strip")
_COMPILER_FOLDERS = ("/usr/lib/gcc", "/usr/libexec/gcc")
# What was installed, of which they tell.
_OF_PACKAGES = ("/var/lib/dpkg", "/var/lib/rpm", "/usr/lib/sysimage/rpm", "/var/lib/pacman/local")
_OF_APT = (
    *("/var/lib/dpkg", "/var/lib/apt", "/var/cache/apt"),
    # Not auth.conf, in which passwords are.
    *(f"/etc/apt/{name}" for name in ("apt.conf", "apt.conf.d", "preferences", "preferences.d")),
    *(f"/etc/apt/{name}" for name in ("sources.list", "sources.list.d", "trusted.gpg.d")),
)
_READ_WITH = {
    **dict.fromkeys((*_DPKG, "update-alternatives", "rpm", "pacman"), _OF_PACKAGES),
    **dict.fromkeys(("apt", "apt-get", "apt-cache", "apt-mark", "apt-config"), _OF_APT),
    **dict.fromkeys(("man", "whatis", "apropos"), ("/var/cache/man",)),
    "last": ("/var/log/wtmp",),
}
# They are about processes, and nothing without.
_OF_PROCESSES = frozenset(
    {"ps", "pgrep", "pidof", "pstree", "top", "w", "uptime", "free", "lsof", "pmap", "pidstat"}
    # What is mounted is told of a process; lscpu lists the directory.
    | {"df", "findmnt", "mount", "fuser", "lsns", "lscpu"}
)
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/opt")


def executed_with(program: str, path: Sequence[str]) -> tuple[str, ...]:
    """Files and folders that are executed when `program` runs, itself the first. Never raises.

    Args:
        program: Absolute.
        path: Where names of programs are looked up.

    Returns:
        Absolute, without links.
    """
    real = _real(program)
    name = os.path.basename(program)
    found = [real, *_with(real, path)]
    compiles = not _COMPILERS.isdisjoint(os.path.basename(real).split("-"))
    more = _LINKED_WITH if compiles else _HELPERS.get(name, ())
    for helper in (*_UNPACKERS, *more):
        where = _found(helper, path)
        if where is not None:
            found += [_real(where), *_with(_real(where), path)]
    found += [
        folder
        for each in (
            *(_COMPILER_FOLDERS if compiles else _HELPER_FOLDERS.get(name, ())),
            *(f"/usr/lib/{name}", f"/usr/libexec/{name}"),
        )
        for folder in glob.glob(glob.escape(each))
    ]
    return tuple(dict.fromkeys(map(_real, found)))


def started_with(program: str, path: Sequence[str]) -> tuple[str, ...]:
    """Files that the kernel executes to start `program`, beside itself: its interpreter, and the
    like. Never raises. As `executed_with`."""
    found = map(_real, _with(_real(program), path))
    return tuple(dict.fromkeys(filter(os.path.isfile, found)))


def read_with(program: str) -> tuple[str, ...]:
    """Files and folders that are read when `program` runs: of the environment that it was installed
    in, and what it tells of.

    A proxy of rustup runs what its toolchain holds. Never raises.
    """
    name = os.path.basename(program)
    found = ["/proc"] if name in _OF_PROCESSES else []
    found += filter(os.path.exists, _READ_WITH.get(name, ()))
    for each in dict.fromkeys((os.path.normpath(program), _real(program))):
        prefix = os.path.dirname(os.path.dirname(each))
        if os.path.isfile(os.path.join(prefix, "pyvenv.cfg")):
            found.append(prefix)
            base = os.path.dirname(os.path.dirname(_real(f"{prefix}/bin/python")))
            if glob.glob(f"{glob.escape(base)}/lib/python3*"):
                found.append(base)
        elif os.path.isdir(os.path.join(prefix, "conda-meta")):
            found.append(prefix)
    if os.path.basename(_real(program)) == "rustup":
        home = os.path.dirname(os.path.dirname(os.path.dirname(os.path.normpath(program))))
        found.append(os.path.join(home, ".rustup"))
    return tuple(dict.fromkeys(map(_real, found)))


def _with(program: str, path: Sequence[str]) -> Iterator[str]:
    """What the kernel executes for `program`, and what that executes."""
    for _ in range(_MOST_INTERPRETERS):
        head = _head(program)
        if head.startswith(_ELF):
            loader = _loader(head)
            if loader:
                yield _real(loader)
            return
        if not head.startswith(b"#!"):
            return
        # A script of the system runs programs of the system.
        if program.startswith(tuple(f"{folder}/" for folder in _SYSTEM)):
            yield from filter(os.path.isdir, _SYSTEM)
        words = os.fsdecode(head[2:].split(b"\n", 1)[0]).split()
        if not words:
            return
        program = _real(words[0])
        yield program
        if os.path.basename(words[0]) == "env":
            named = _named_by_env(words[1:])
            where = None if named is None else _found(named, path)
            if where is None:
                return
            yield from _with(program, path)
            program = _real(where)
            yield program


def _found(name: str, path: Sequence[str]) -> str | None:
    for folder in ("",) if "/" in name else path:
        where = os.path.join(folder, name)
        if os.path.isfile(where) and os.access(where, os.X_OK):
            return where
    return None


def _named_by_env(words: Iterable[str]) -> str | None:
    """The program that ``#!/usr/bin/env`` runs with these words."""
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in _ENV_OPTIONS_WITH_VALUE:
            skip = True
        elif not word.startswith("-") and "=" not in word:
            return word
    return None


def _loader(head: bytes) -> str | None:
    """PT_INTERP of an ELF file of 64 bits, in the byte order of this machine."""
    if len(head) < 64 or head[4] != 2:
        return None
    offset, size, count = (
        struct.unpack_from("=Q", head, 32)[0],
        *struct.unpack_from("=HH", head, 54),
    )
    for index in range(count):
        at = offset + index * size
        if at + 40 > len(head):
            return None
        if struct.unpack_from("=I", head, at)[0] == _PT_INTERP:
            begin, length = (
                struct.unpack_from("=Q", head, at + 8)[0],
                struct.unpack_from("=Q", head, at + 32)[0],
            )
            return os.fsdecode(head[begin : begin + length].rstrip(b"\0")) or None
    return None


def _head(path: str) -> bytes:
    """The first bytes of a regular file; none where it cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return b""
    try:
        return os.read(fd, _HEAD) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
    except OSError:
        return b""
    finally:
        os.close(fd)


def _real(path: str) -> str:
    """As `os.path.realpath`, which raises where a file takes the place of a link just then."""
    for _ in range(_MOST_TRIES):
        with suppress(OSError):
            return os.path.realpath(path)
    return path
