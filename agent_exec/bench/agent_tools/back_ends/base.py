"""What a way to run a tool looks like to the agent that calls it."""

from __future__ import annotations

from typing import Protocol

from agent_exec.bench.agent_tools.tasks import Answer, Task


class UnavailableError(Exception):
    """A back end that this machine or installation cannot offer; the message says why."""


class BackEnd(Protocol):
    """Runs tasks in the corpus, any number at once."""

    async def run(self, task: Task) -> Answer:
        """Run it to its end. Raises when it does not come to run."""
        ...

    def close(self) -> None:
        """Give back what is held."""
        ...
