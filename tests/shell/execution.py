"""The sandbox in which shell texts really run: throwaway files, no network, no rights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import anyio
from shell.fixture_repository import build

import agent_exec
from agent_exec.shell.reading import Scope

HERE = Path(__file__).parent
_PACKAGE = Path(agent_exec.__file__).parent.parent
VARIABLES = {
    "PATH": "/home/agent/bin:/usr/local/bin:/usr/bin:/bin",
    "HOME": "/home/agent",
    "LC_ALL": "C.UTF-8",
    "GIT_PAGER": "cat",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Fixture",
    "GIT_AUTHOR_EMAIL": "fixture@example.org",
    "GIT_AUTHOR_DATE": "1700000000 +0000",
    "GIT_COMMITTER_NAME": "Fixture",
    "GIT_COMMITTER_EMAIL": "fixture@example.org",
    "GIT_COMMITTER_DATE": "1700000000 +0000",
    "VALUE": "value",
    "EMPTY": "",
    "WORDS": "two words",
    "DIR": "src",
}
"""The environment of every text."""

_POLICY = """\
version: 1
default: allow
route: {verdict: allow}
programs: {path: [inherit], trust: {owners: [root, self], writable_by: anybody}}
env: {inherit: ["*"], from_call: ["*"]}
sandbox: {read: [/], write: [/], network: allow, protect: [], require: []}
rules: []
"""
# Where they are found in the sandbox.
_MODULES = {
    "/modules/tests": HERE.parent,
    "/modules/package": _PACKAGE,
    "/modules/libraries": Path(anyio.__file__).parent.parent,
}
_HIDDEN = ("dev", "home", "proc", "tmp")


class Answer(NamedTuple):
    """On one text."""

    text: str
    outcome: str
    """equal, shell, left out, at times, or different."""
    why: tuple[str, ...] = ()


class Sandbox:
    """Runs texts by bash and by ours.

    Args:
        folder: New and empty; nothing else is written to.
        launchers: What ours starts children by, one run for each.
        places: Further absolute paths at which the fixture is to be found.
    """

    def __init__(self, folder: Path, launchers: Sequence[str], places: Sequence[str] = ()) -> None:
        self._folder = folder
        self._places = places
        (folder / "pristine").mkdir()
        build(folder / "pristine")
        (folder / "project").mkdir()
        policy = folder / "policy.yaml"
        policy.write_text(_POLICY)
        orders = {
            "modules": list(_MODULES),
            "pristine": "/pristine",
            "policy": "/policy.yaml",
            "launchers": launchers,
            "variables": VARIABLES,
        }
        (folder / "orders.json").write_text(json.dumps(orders))
        self.scope = Scope.of_call(VARIABLES, "/home/agent/project")
        self._driver: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._started()
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._end()

    def compare(self, texts: Iterable[str]) -> Iterator[Answer]:
        """An answer for every text."""
        for text in texts:
            driver = self._started()
            assert driver.stdin is not None
            assert driver.stdout is not None
            print(json.dumps(text), file=driver.stdin, flush=True)
            line = driver.stdout.readline()
            if line:
                answer = json.loads(line)
                yield Answer(text, answer["outcome"], tuple(answer.get("why", ())))
            else:
                yield Answer(text, "left out", ("it ended the sandbox",))
                self._end()

    def _started(self) -> subprocess.Popen[str]:
        if self._driver is None:
            self._driver = subprocess.Popen(
                [
                    *self._sandbox(),
                    # Not a link in an environment, which may lie beneath what is hidden.
                    os.path.realpath(sys.executable),
                    "-I",
                    "/modules/tests/shell/execution_driver.py",
                    "/orders.json",
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env=VARIABLES,
            )
        return self._driver

    def _end(self) -> None:
        if self._driver is not None:
            self._driver.communicate()
            self._driver = None

    def _sandbox(self) -> list[str]:
        """The machine's own files, read-only, beneath a root of our own."""
        words = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session"]
        words += ["--cap-drop", "ALL", "--dev", "/dev", "--proc", "/proc"]
        for entry in sorted(os.scandir("/"), key=lambda entry: entry.name):
            if entry.is_symlink():
                words += ["--symlink", os.readlink(entry.path), entry.path]
            elif entry.is_dir() and entry.name not in _HIDDEN:
                words += ["--ro-bind", entry.path, entry.path]
        folder = self._folder
        # In memory: every text that changes a file has all of them made new.
        words += ["--tmpfs", "/tmp", "--tmpfs", "/home/agent", "--dir", "/home/agent/project"]
        if self._places:
            words += ["--bind", str(folder / "project"), "/home/agent/project"]
        for name in ("pristine", "policy.yaml", "orders.json"):
            words += ["--ro-bind", str(folder / name), f"/{name}"]
        for place in self._places:
            words += ["--bind", str(folder / "project"), place]
        for at, needed in _MODULES.items():
            words += ["--ro-bind", str(needed), at]
        if Path(sys.base_prefix).parts[1] in _HIDDEN:
            words += ["--ro-bind", sys.base_prefix, sys.base_prefix]
        return [*words, "--chdir", "/home/agent/project", "--"]
