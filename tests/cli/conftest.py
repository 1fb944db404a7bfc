"""Commands without a process of their own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from in_process import InProcess, commands


@pytest.fixture
def agent_exec(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> Iterator[InProcess]:
    """``agent-exec`` in this process."""
    with commands(monkeypatch, capfdbinary) as run:
        yield run
