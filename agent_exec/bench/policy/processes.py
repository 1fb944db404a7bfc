"""How long whole processes take: ``agent-exec check``, ``--help``, and the hook of a host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from agent_exec.named_tuple import NamedTuple

TEXT = "rg -n TODO src | head -20"
_PATIENCE_S = 30


class Case(NamedTuple):
    """One process that is measured."""

    name: str
    words: tuple[str, ...]
    """Behind ``agent-exec``."""
    target_ms: float
    input: bytes = b""


class Processes:
    """Starts ``agent-exec`` in a worktree, with state of its own.

    Args:
        worktree: Where it works; absolute, without links.
        state: An empty directory, for what they leave, and for the daemon.
    """

    def __init__(self, worktree: str, state: str) -> None:
        self._worktree = worktree
        self._words, more = _agent_exec()
        self._environment = {**os.environ, **more}
        for name in ("XDG_STATE_HOME", "XDG_RUNTIME_DIR"):
            self._environment[name] = os.path.join(state, name)
            os.mkdir(self._environment[name], 0o700)

    def alone(self) -> tuple[Case, ...]:
        """What is measured while no daemon runs."""
        return (
            Case("agent-exec check, as a process", ("check", "--json", "-c", TEXT), 200),
            Case("agent-exec run, of what does nothing", ("run", "-q", "-c", "true"), 150),
            Case("agent-exec --help", ("--help",), 150),
            self._hook("the hook of a host, without a daemon", 200),
        )

    def served(self) -> tuple[Case, ...]:
        """What is measured while one runs."""
        return (self._hook("the hook of a host, with a daemon", 60),)

    def milliseconds(self, case: Case, rounds: int) -> list[float]:
        """Of `rounds` runs, and one before that is not counted.

        Raises:
            RuntimeError: It does not do what is to be measured.
        """
        times = []
        for _ in range(rounds + 1):
            begin = time.perf_counter()
            done = subprocess.run(
                [*self._words, *case.words],
                cwd=self._worktree,
                env=self._environment,
                input=case.input,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                timeout=_PATIENCE_S,
                check=False,
            )
            times.append((time.perf_counter() - begin) * 1000)
            if done.stderr:
                raise RuntimeError(f"{case.name}: {done.stderr.decode(errors='replace')}")
        return times[1:]

    @contextmanager
    def daemon(self) -> Iterator[None]:
        """A daemon of this benchmark alone.

        Raises:
            RuntimeError: It does not start.
        """
        words = [*self._words, "daemon", "--foreground"]
        with subprocess.Popen(
            words, cwd=self._worktree, env=self._environment, stdout=subprocess.PIPE
        ) as process:
            try:
                assert process.stdout is not None
                said = process.stdout.readline().decode(errors="replace")
                if '"pid"' not in said:
                    raise RuntimeError(f"the daemon does not start: {said}")
                yield
            finally:
                process.terminate()

    def _hook(self, name: str, target_ms: float) -> Case:
        event = {
            "hook_event_name": "PreToolUse",
            "cwd": self._worktree,
            "tool_name": "Bash",
            "tool_input": {"command": TEXT},
        }
        return Case(name, ("hook", "claude-code"), target_ms, json.dumps(event).encode())


def measure(
    processes: Processes, rounds: int, tell: Callable[[str], None]
) -> Iterator[tuple[Case, list[float]]]:
    """Every case, with its times in milliseconds."""
    tell("processes")
    for case in processes.alone():
        yield case, processes.milliseconds(case, rounds)
    tell("processes beside a daemon")
    with processes.daemon():
        for case in processes.served():
            yield case, processes.milliseconds(case, rounds)


def _agent_exec() -> tuple[list[str], Mapping[str, str]]:
    """The words that start it as users do, and what the environment needs for it."""
    called = os.path.abspath(sys.argv[0])
    if os.path.basename(called) == "agent-exec" and os.access(called, os.X_OK):
        return [called], {}
    # As it was found: from a checkout, too.
    path = os.pathsep.join(folder for folder in sys.path if folder)
    return [sys.executable, "-m", "agent_exec"], {"PYTHONPATH": path}
