"""How others launch: the standard library, anyio, trio, uvloop, and a shell.

Each gets its best case: an absolute path, a small environment, no session of its own.
"""

from __future__ import annotations

import asyncio
import importlib
import shlex
import shutil
import subprocess
from collections.abc import Callable

import anyio

from agent_exec.bench.launch.drive import AsyncLaunch, Launch
from agent_exec.bench.launch.methods.base import UnavailableError
from agent_exec.bench.launch.methods.loops import (
    AsyncMaker,
    Blocking,
    Maker,
    OnAsyncio,
    OnForeignLoop,
    OnTrio,
)
from agent_exec.bench.launch.programs import Program, Workbench


def open_subprocess(bench: Workbench) -> Blocking:
    """`subprocess.run`."""
    return Blocking(_with_subprocess(bench, lambda program: program.argv))


def open_bash(bench: Workbench) -> Blocking:
    """`subprocess.run` of ``bash -c``: what hands a model's text to a shell."""
    return Blocking(_with_subprocess(bench, _bash_words()))


def open_asyncio(bench: Workbench) -> OnAsyncio:
    """`asyncio.create_subprocess_exec` and `communicate`."""
    return OnAsyncio(_with_asyncio(bench, lambda program: program.argv))


def open_bash_asyncio(bench: Workbench) -> OnAsyncio:
    """The same, of ``bash -c``."""
    return OnAsyncio(_with_asyncio(bench, _bash_words()))


def open_uvloop(bench: Workbench) -> OnForeignLoop:
    """asyncio's functions on uvloop."""
    try:
        uvloop = importlib.import_module("uvloop")
    except ImportError as error:
        raise UnavailableError("uvloop is not installed (pip install agent-exec[bench])") from error
    make = _with_asyncio(bench, lambda program: program.argv)
    return OnForeignLoop(make, uvloop.new_event_loop)


def open_anyio(bench: Workbench) -> OnAsyncio:
    """`anyio.run_process`, under asyncio."""
    env = dict(bench.env)

    def make(program: Program) -> AsyncLaunch:
        async def launch() -> None:
            done = await anyio.run_process(
                program.argv,
                stdin=subprocess.DEVNULL,
                check=False,
                cwd=bench.worktree,
                env=env,
            )
            program.check(done.returncode, done.stdout, done.stderr)

        return launch

    return OnAsyncio(make)


def open_trio(bench: Workbench) -> OnTrio:
    """`trio.run_process`."""
    env = dict(bench.env)

    def make(program: Program) -> AsyncLaunch:
        import trio  # noqa: PLC0415 - optional

        async def launch() -> None:
            done = await trio.run_process(
                program.argv,
                stdin=subprocess.DEVNULL,
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                cwd=bench.worktree,
                env=env,
            )
            program.check(done.returncode, done.stdout, done.stderr)

        return launch

    return OnTrio(make)


def _with_subprocess(bench: Workbench, words: Callable[[Program], tuple[str, ...]]) -> Maker:
    env = dict(bench.env)

    def make(program: Program) -> Launch:
        argv = words(program)

        def launch() -> None:
            done = subprocess.run(
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                cwd=bench.worktree,
                env=env,
                check=False,
            )
            program.check(done.returncode, done.stdout, done.stderr)

        return launch

    return make


def _with_asyncio(bench: Workbench, words: Callable[[Program], tuple[str, ...]]) -> AsyncMaker:
    env = dict(bench.env)

    def make(program: Program) -> AsyncLaunch:
        argv = words(program)

        async def launch() -> None:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=bench.worktree,
                env=env,
            )
            stdout, stderr = await process.communicate()
            program.check(process.returncode, stdout, stderr)

        return launch

    return make


def _bash_words() -> Callable[[Program], tuple[str, ...]]:
    bash = shutil.which("bash")
    if bash is None:
        raise UnavailableError("there is no bash on PATH")
    return lambda program: (bash, "-c", shlex.join(program.argv))
