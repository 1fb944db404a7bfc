"""A user of a host, and ``agent-exec`` as that user runs it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from daemon_host import Home, home_in
from in_process import commands

AgentExec = Callable[..., CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with home_in(tmp_path) as made:
        yield made


@pytest.fixture
def agent_exec(
    home: Home, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Iterator[AgentExec]:
    """``agent-exec`` in this process, which is quicker; `Home.cli` is the real one."""
    for name in os.environ.keys() - home.environ.keys():
        monkeypatch.delenv(name)
    for name, value in home.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(home.worktree)
    with commands(monkeypatch, capfdbinary) as command:

        def run(*words: str, input: bytes = b"") -> CompletedProcess[str]:  # noqa: A002
            done = command(*words, input=input)
            out, err = done.stdout.decode(), done.stderr.decode()
            return CompletedProcess(done.args, done.returncode, out, err)

        yield run
