"""A user of a host, and ``agent-exec`` as that user runs it."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from daemon_host import Home, home_in

from agent_exec.cli import main

AgentExec = Callable[..., CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with home_in(tmp_path) as made:
        yield made


@pytest.fixture
def agent_exec(home: Home, monkeypatch: pytest.MonkeyPatch, capfd: Any) -> Iterator[AgentExec]:
    """``agent-exec`` in this process, which is quicker; `Home.cli` is the real one."""
    for name in os.environ.keys() - home.environ.keys():
        monkeypatch.delenv(name)
    for name, value in home.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(home.worktree)
    alarm = signal.getsignal(signal.SIGALRM)

    def run(*words: str, input: bytes = b"") -> CompletedProcess[str]:  # noqa: A002 - as subprocess
        capfd.readouterr()
        monkeypatch.setattr(sys, "argv", ["agent_exec/__main__.py", *words])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(input)))
        status: Any = 0
        try:
            main()
        except SystemExit as end:
            status = end.code or 0
        out, err = capfd.readouterr()
        return CompletedProcess(words, status, out, err)

    yield run
    signal.signal(signal.SIGALRM, alarm)
