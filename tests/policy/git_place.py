"""Repositories for tests, and git in a sandbox."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/nothing",
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "TERM": "dumb",
}


def make_repository(top: Path) -> Path:
    """`top`/here, with two commits; a.txt was changed since."""
    here = top / "here"
    here.mkdir()
    sh(
        """
        git init -q --template= -b main; mkdir .git/hooks .git/info
        git config user.name x; git config user.email x@x
        echo one > a.txt; printf 'b\\0b' > b.bin; git add -A; git commit -qm first
        echo two >> a.txt; git commit -qam second
        echo three >> a.txt; touch -d 2001-01-01 b.bin
        """,
        here,
    )
    return here


def sh(text: str, here: Path) -> None:
    """Run a text, which has to succeed in the end."""
    subprocess.run(["sh", "-c", text], cwd=here, env=_ENVIRONMENT, check=True, capture_output=True)


def enter(
    here: Path, argv: tuple[str, ...], variables: Mapping[str, str], *, terminal: bool = False
) -> bytes:
    """What a command says, in a sandbox where only the directory above `here` can be written."""
    environment = {**_ENVIRONMENT, **variables}
    setenv = [word for item in environment.items() for word in ("--setenv", *item)]
    above = str(here.parent)
    command = ("script", "-qec", shlex.join(argv), "/dev/null") if terminal else argv
    sandbox = [
        *("bwrap", "--unshare-all", "--die-with-parent", "--clearenv", "--ro-bind", "/", "/"),
        *("--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--bind", above, above),
        *("--chdir", str(here), *setenv, "--", *command),
    ]
    done = subprocess.run(
        sandbox, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False
    )
    return done.stdout + done.stderr
