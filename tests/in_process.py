"""``agent-exec`` in the process of the test, which is quicker than one of its own.

For what a command says and decides. How a process begins and ends, what it does to its terminal
and its descriptors, is for tests that start one.
"""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from agent_exec.cli import main

InProcess = Callable[..., CompletedProcess[bytes]]
"""Words, and keywords `input` (bytes) and `cwd`."""


@contextmanager
def commands(
    monkeypatch: pytest.MonkeyPatch, captured: pytest.CaptureFixture[bytes]
) -> Iterator[InProcess]:
    """What runs a command; what that does to signals is undone at the end of the block."""
    alarm = signal.getsignal(signal.SIGALRM)

    def run(
        *words: str,
        input: bytes = b"",  # noqa: A002 - as subprocess
        cwd: Path | None = None,
    ) -> CompletedProcess[bytes]:
        captured.readouterr()
        monkeypatch.setattr(sys, "argv", ["agent_exec/__main__.py", *words])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(input)))
        if cwd is not None:
            monkeypatch.chdir(cwd)
        status: Any = 0
        try:
            main()
        except SystemExit as end:
            status = end.code or 0
        out, err = captured.readouterr()
        return CompletedProcess(words, status, out, err)

    yield run
    signal.signal(signal.SIGALRM, alarm)
