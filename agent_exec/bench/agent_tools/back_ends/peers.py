"""How agents run tools without us: the standard library, and anyio.

None looks up a program before: the child does, along the same PATH as ours.
"""

from __future__ import annotations

import asyncio
import subprocess
from concurrent.futures import ThreadPoolExecutor

import anyio

from agent_exec.bench.agent_tools.corpus import Corpus
from agent_exec.bench.agent_tools.tasks import Answer, Task, decode, run_once

# asyncio's own pool would have fewer threads than there are calls in flight.
_THREADS = 16


class Subprocess:
    """`asyncio.create_subprocess_exec` and `communicate`."""

    def __init__(self, corpus: Corpus) -> None:
        self._cwd, self._env = corpus.worktree, dict(corpus.env)

    async def run(self, task: Task) -> Answer:
        process = await asyncio.create_subprocess_exec(
            *task.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self._cwd,
            env=self._env,
        )
        stdout, stderr = await process.communicate()
        return Answer(status=process.returncode, stdout=decode(stdout), stderr=decode(stderr))

    def close(self) -> None:
        """Nothing is held."""


class SubprocessThread:
    """`subprocess.run`, on a pool of threads."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._pool = ThreadPoolExecutor(_THREADS)

    async def run(self, task: Task) -> Answer:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, run_once, task.argv, self._corpus)

    def close(self) -> None:
        self._pool.shutdown()


class Anyio:
    """`anyio.run_process`."""

    def __init__(self, corpus: Corpus) -> None:
        self._cwd, self._env = corpus.worktree, dict(corpus.env)

    async def run(self, task: Task) -> Answer:
        done = await anyio.run_process(
            task.argv, stdin=subprocess.DEVNULL, check=False, cwd=self._cwd, env=self._env
        )
        return Answer(
            status=done.returncode, stdout=decode(done.stdout), stderr=decode(done.stderr)
        )

    def close(self) -> None:
        """Nothing is held."""
