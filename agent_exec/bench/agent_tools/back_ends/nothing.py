"""A back end that runs nothing: what is left is the agents' own time."""

from __future__ import annotations

from agent_exec.bench.agent_tools.tasks import Answer, Task


class Nothing:
    """Answers at once, with what it was told to."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self._answers = answers

    async def run(self, task: Task) -> Answer:
        return self._answers[task.name]

    def close(self) -> None:
        """Nothing is held."""
