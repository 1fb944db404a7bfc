"""A reader of a guide: types its commands, in their order, into a shell that has ``agent-exec``."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from daemon_host import Home, home_in

DOCS = Path(__file__).parents[1] / "docs"
GUIDES = DOCS / "guides"
_PATIENCE_S = 50


def commands_of(page: str) -> list[str]:
    """What a page lets its reader type."""
    blocks = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def is_extra(name: str) -> bool:
    """Whether this package has an extra of that name."""
    project = (DOCS.parent / "pyproject.toml").read_text("utf-8")
    return re.search(rf"^{name} = \[", project, re.MULTILINE) is not None


@dataclass
class Reader:
    """Of one guide, with a home of their own and a repository as their project."""

    home: Home

    @property
    def environ(self) -> dict[str, str]:
        """With ``agent-exec`` and ``python`` on the PATH."""
        environ = self.home.environ
        return environ | {"PATH": f"{self.home.folder / 'bin'}:{environ['PATH']}"}

    def shell(self, command: str, cwd: Path | None = None) -> str:
        """What it writes to its output; it has to go well."""
        done = subprocess.run(
            ["bash", "-ec", command],
            cwd=cwd or self.home.worktree,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=_PATIENCE_S,
        )
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), (command, done.stderr)
        return done.stdout


@contextmanager
def reader_in(folder: Path) -> Iterator[Reader]:
    """Somebody who has installed the package, until the end of the block."""
    with home_in(folder) as home:
        # A host hands on few variables, and that of a checkout is not among them.
        path = shlex.quote(home.environ.get("PYTHONPATH", ""))
        (folder / "bin").mkdir()
        for name, words in (("agent-exec", "-P -m agent_exec"), ("python", "")):
            program = folder / "bin" / name
            program.write_text(f'#!/bin/sh\nPYTHONPATH={path} exec {sys.executable} {words} "$@"\n')
            os.chmod(program, 0o755)
        subprocess.run(["git", "init", "-q", home.worktree], env=home.environ, check=True)
        yield Reader(home)
