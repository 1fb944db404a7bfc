"""The programs that are launched, and the C floor: compiled when the benchmark runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from agent_exec.errors import Unsupported

PROGRAM_NAMES = ("tiny", "cat")

FLOOR_FLAGS = ("-std=gnu11", "-O2")
TINY_FLAGS = (
    "-std=gnu11",
    "-O2",
    "-static",
    "-nostdlib",
    "-ffreestanding",
    "-fno-stack-protector",
    "-fno-asynchronous-unwind-tables",
    "-Wl,--build-id=none",
)
_SMALL_FILE = b"".join(b"line %d of a small file\n" % number for number in range(1, 9))


class WrongResultError(Exception):
    """A launch whose exit status or output was not what the program gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What is launched, and what every launch of it must give with exit status 0."""

    name: str
    argv: tuple[str, ...]
    """The first word is an absolute path: nobody searches."""
    stdout: bytes
    stderr: bytes = b""

    def check(self, exit_status: int | None, stdout: bytes, stderr: bytes) -> None:
        """Raise `WrongResultError` unless a launch gave what it must."""
        if exit_status != 0:
            raise WrongResultError(f"{self.name}: exit status {exit_status}, not 0")
        for stream, got, expected in (
            ("stdout", stdout, self.stdout),
            ("stderr", stderr, self.stderr),
        ):
            if got != expected:
                raise WrongResultError(
                    f"{self.name}: {stream} is {got[:60]!r}, not {expected[:60]!r}"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class Workbench:
    """What all methods share, so that all do the same work. Paths are absolute."""

    worktree: str
    """Where every program runs."""
    env: tuple[tuple[str, str], ...]
    """The environment of every program."""
    floor: str
    """The compiled floor.c."""
    programs: tuple[Program, ...]


def prepare(folder: Path) -> Workbench:
    """Compile the floor into `folder`, and lay out the worktree with the programs there.

    Raises:
        Unsupported: There is no C compiler, it refuses, or `folder` may not be executed from.
    """
    worktree = folder / "worktree"
    worktree.mkdir()
    floor = folder / "floor"
    compile_c("floor.c", floor, FLOOR_FLAGS)
    return Workbench(
        worktree=str(worktree),
        env=(("PATH", os.defpath), ("HOME", str(worktree)), ("LANG", "C.UTF-8")),
        floor=str(floor),
        programs=(_tiny(worktree), _cat(worktree)),
    )


def lasting_program() -> Program:
    """One that takes much longer than its launch, 0.2 s, and says nothing.

    Raises:
        Unsupported: There is no sleep in the system's directories.
    """
    sleep = shutil.which("sleep", path=os.defpath)
    if sleep is None:
        raise Unsupported(f"there is no sleep in {os.defpath}")
    return Program(name="sleep", argv=(os.path.abspath(sleep), "0.2"), stdout=b"")


def compile_c(source: str, program: Path, flags: tuple[str, ...]) -> None:
    """Compile `source`, a file of `agent_exec.bench`, to the executable `program`.

    Raises:
        Unsupported: There is no C compiler, or it refuses; the message says what it said.
    """
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        raise Unsupported("the benchmark needs a C compiler: no cc, gcc or clang was found")
    with as_file(files("agent_exec.bench") / source) as path:
        done = subprocess.run(
            [compiler, *flags, "-o", program, path],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise Unsupported(f"{compiler} could not compile {source}: {done.stderr.strip()}")


def _tiny(worktree: Path) -> Program:
    path = worktree / "tiny"
    compile_c("tiny.c", path, TINY_FLAGS)
    try:
        done = subprocess.run([path], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    except PermissionError as error:
        raise Unsupported(
            f"no program may be executed in {worktree}: set TMPDIR to a directory "
            "that is not mounted noexec"
        ) from error
    tiny = Program(
        name="tiny", argv=(str(path),), stdout=b"on stdout: 1\n", stderr=b"on stderr: 2\n"
    )
    tiny.check(done.returncode, done.stdout, done.stderr)
    return tiny


def _cat(worktree: Path) -> Program:
    cat = shutil.which("cat", path=os.defpath)
    if cat is None:
        raise Unsupported(f"there is no cat in {os.defpath}")
    small = worktree / "small.txt"
    small.write_bytes(_SMALL_FILE)
    return Program(name="cat", argv=(os.path.abspath(cat), str(small)), stdout=_SMALL_FILE)
