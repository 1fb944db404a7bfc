"""The place where hidden rows run: a throwaway repository, in a sandbox without network."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from policy.hidden import LEAKED, Hidden, Seen

_LIBRARY = """
#include <fcntl.h>
__attribute__((constructor)) static void mark(void) { open("M", O_CREAT | O_WRONLY, 0644); }
void C_GetFunctionList(void) { }
unsigned la_version(unsigned version) { return version; }
"""
_PACKAGE = "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x>\nDescription: x\n"
_MEMORY = "/dev/shm"
_FIRST = "one\ntwo\n"
_GIT = ("git", "-c", "user.name=x", "-c", "user.email=x@x", "-c", "core.hooksPath=/nothing")
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ENVIRONMENT = Path(sys.executable).parent
# An environment in /tmp cannot be seen in the sandbox.
_PATH = _SYSTEM_PATH if _ENVIRONMENT.is_relative_to("/tmp") else f"{_ENVIRONMENT}:{_SYSTEM_PATH}"


def installed(name: str) -> bool:
    """Can the program `name` run in the sandbox?"""
    return name.startswith(("./", "d/")) or shutil.which(name, path=_PATH) is not None


@contextlib.contextmanager
def in_memory() -> Iterator[Path]:
    """A new folder for many short-lived places; in memory, where programs may run from there."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if _programs_may_run_in(_MEMORY) else None) as top:
        yield Path(top)


def _programs_may_run_in(folder: str) -> bool:
    if not os.access(folder, os.W_OK):
        return False
    return not os.statvfs(folder).f_flag & os.ST_NOEXEC


def make_place(top: Path) -> Path:
    """The directory `top`/here, beside `top`/outside; what every row begins with."""
    here, outside = top / "here", top / "outside"
    here.mkdir()
    outside.mkdir()
    (outside / "word").write_text(f"{LEAKED}\n")
    _make(here, {"a.txt": "zero\n", ".gitattributes": "*.txt diff=x\n*.flt filter=x\n"})
    (here / "a.flt").write_text("x\n")
    _git(here, "init", "-q", "--template=", "-b", "main")
    for key, value in (("user.name", "x"), ("user.email", "x@x")):
        _git(here, "config", key, value)
    _git(here, "add", "-A")
    _git(here, "commit", "-qm", "first")
    (here / "a.txt").write_text(_FIRST)
    _git(here, "commit", "-qam", "second")
    _make(here, {"p.sh*": "#!/bin/sh\ntouch M\n"})
    (here / "link").symlink_to("../outside")
    (here / "linked").symlink_to("../outside/word")
    source = top / "evil.c"
    source.write_text(_LIBRARY)
    if shutil.which("gcc") is not None:
        library = str(here / "evil.so")
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, str(source)], check=True)
        (here / "libnss_d").mkdir()
        shutil.copy(library, here / "libnss_d/evil.so.2")
    member = top / "M"
    member.write_text("x\n")
    for archive in (
        ["tar", "-cf", str(here / "m.tar"), "M"],
        ["zip", "-q", str(here / "m.zip"), "M"],
    ):
        if shutil.which(archive[0]) is not None:
            subprocess.run(archive, cwd=top, check=True)
    subprocess.run(["tar", "-cf", "t.tar", "a.txt"], cwd=here, check=True)
    member.unlink()
    if shutil.which("dpkg-deb") is not None:
        (top / "deb/DEBIAN").mkdir(parents=True)
        (top / "deb/DEBIAN/control").write_text(_PACKAGE)
        (top / "deb/DEBIAN/word").symlink_to("/proc/self/cwd/../outside/word")
        subprocess.run(["dpkg-deb", "-b", "deb", "here/x.deb"], cwd=top, check=True)
    return here


def fill(row: Hidden, here: Path) -> Hidden:
    """`row` with its files made in `here`, and its words as they are there."""
    _make(here, {name: text.replace("{here}", str(here)) for name, text in row.files.items()})
    for key, value in row.config:
        _git(here, "config", key, value)
    call = row.call
    if not isinstance(call, str):
        call = tuple([word.replace("{here}", str(here)) for word in call])
    env = {name: value.replace("{here}", str(here)) for name, value in row.env.items()}
    return row._replace(call=call, env=env)


def run(row: Hidden, here: Path) -> bytes:
    """Run `row`, filled, in the sandbox, and return what it says."""
    argv = ["bash", "-c", row.call] if isinstance(row.call, str) else list(row.call)
    environment = {
        "PATH": _PATH,
        "HOME": "/nothing",
        "LC_ALL": "C.UTF-8",
        "TERM": "dumb",
        "FILTER_BRANCH_SQUELCH_WARNING": "1",  # or it sleeps for ten seconds
        **row.env,
    }
    variables = [word for item in environment.items() for word in ("--setenv", *item)]
    sandbox = [
        *("bwrap", "--unshare-all", "--die-with-parent", "--clearenv", "--ro-bind", "/", "/"),
        *(
            "--dev",
            "/dev",
            "--proc",
            "/proc",
            "--tmpfs",
            "/tmp",
            "--bind",
            str(here.parent),
            str(here.parent),
        ),
        *("--chdir", str(here), *variables, "--", *argv),
    ]
    given = row.stdin.encode() if row.stdin is not None else b""
    try:
        done = subprocess.run(sandbox, input=given, capture_output=True, timeout=20, check=False)
    except subprocess.TimeoutExpired as late:
        return (late.stdout or b"") + (late.stderr or b"")
    return done.stdout + done.stderr


def is_seen(row: Hidden, here: Path, said: bytes) -> bool:
    """Does the effect of `row` show?"""
    if row.seen is Seen.MARK:
        return (here / "M").exists() or any(here.glob("M?"))
    if row.seen is Seen.CHANGED:
        changed = here / "a.txt"
        gone = not changed.exists() or not (here / "p.sh").exists()
        return gone or changed.read_text(errors="replace") != _FIRST
    return LEAKED.encode() in said


def make_files(rows: Iterable[Hidden], here: Path) -> None:
    """Those of all `rows` in one place. Most have the same: each is written once."""
    files: dict[str, str] = {}
    for row in rows:
        files.update(row.files)
    _make(here, {name: text.replace("{here}", str(here)) for name, text in files.items()})


def _make(here: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        path = here / name.removesuffix("*")
        if not _holds(path, text):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        if name.endswith("*"):
            path.chmod(0o755)


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode()
    except OSError:
        return False


def _git(here: Path, *words: str) -> None:
    subprocess.run([*_GIT, *words], cwd=here, check=True, capture_output=True)
