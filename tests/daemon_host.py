"""Daemons of a test: processes with directories of their own, and all ended with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from realproc import is_alive, wait_until

from agent_exec.daemon.client import Client
from agent_exec.daemon.places import Places
from agent_exec.runtime.environment import is_mark

_RUN = """
import os, sys
from agent_exec.daemon.main import run
from agent_exec.daemon.server import Settings
sys.exit(run(settings=Settings({settings}), attached=True))
"""


@dataclass
class Home:
    """A user's directories, as far as a daemon knows them."""

    folder: Path
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def environ(self) -> dict[str, str]:
        """For a process of this user, which no call has started."""
        given = {name: value for name, value in os.environ.items() if not is_mark(name)}
        paths = {
            "XDG_STATE_HOME": str(self.folder / "state"),
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            "HOME": str(self.folder / "home"),
        }
        # A program that is started from anywhere finds the package that is tested.
        found = [os.path.abspath(path) for path in given.get("PYTHONPATH", "").split(":") if path]
        return given | paths | ({"PYTHONPATH": ":".join(found)} if found else {})

    @property
    def places(self) -> Places:
        return Places.find(self.environ)

    @property
    def worktree(self) -> Path:
        return self.folder / "worktree"

    def serve(self, settings: str = "") -> subprocess.Popen[bytes]:
        """A daemon that is a child of the test; it listens."""
        daemon = subprocess.Popen(
            [sys.executable, "-c", _RUN.format(settings=settings)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env=self.environ,
        )
        self.daemons.append(daemon)
        assert daemon.stdout is not None
        assert b'"pid"' in daemon.stdout.readline()
        return daemon

    def connect(self, **options: Any) -> Client:
        return Client.connect(environ=self.environ, **options)

    def call(self, client: Client, *argv: str, **fields: Any) -> dict[str, Any]:
        """Run one command by the policy `open`."""
        given = {"argv": list(argv)} | fields.pop("arguments", {})
        where = {"worktree": str(self.worktree), "policy": "open"}
        return client.request("call", **(where | fields), arguments=given)

    def cli(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """``agent-exec`` as this user."""
        given: dict[str, Any] = {"cwd": self.worktree, "env": self.environ}
        return subprocess.run(
            [sys.executable, "-P", "-m", "agent_exec", *words],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
            **(given | options),
        )

    def end(self) -> None:
        """No daemon is left, of those that clients have started neither."""
        for daemon in self.daemons:
            daemon.kill()
            daemon.wait()
            assert daemon.stdout is not None
            daemon.stdout.close()
        for pid in self.running():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not self.running())

    def running(self) -> list[int]:
        """The daemons with these directories, whoever started them."""
        here = f"XDG_RUNTIME_DIR={self.folder / 'run'}".encode()
        found: dict[int, int] = {}
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                is_daemon = b"agent_exec.daemon" in (path / "cmdline").read_bytes()
                if is_daemon and here in (path / "environ").read_bytes().split(b"\0"):
                    _, made_by, *_ = (path / "stat").read_text().rpartition(")")[2].split()
                    found[int(path.name)] = int(made_by)
        # A child that has not become its program yet looks like the one that has made it.
        return [pid for pid, made_by in found.items() if made_by not in found and is_alive(pid)]


@contextmanager
def home_in(folder: Path) -> Iterator[Home]:
    """Directories in `folder`, and what runs there, until the end of the block."""
    for name in ("run", "state", "home", "worktree"):
        (folder / name).mkdir(mode=0o700)
    home = Home(folder)
    try:
        yield home
    finally:
        home.end()
