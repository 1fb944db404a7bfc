"""How we launch through an engine: the native one, and the portable one.

Each launch makes its own plan, as a call would; what belongs to a worktree or a policy
(the template, the environment, the directory) is made once.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from typing import Self

from agent_exec.bench.launch.drive import AsyncLaunch, Launch
from agent_exec.bench.launch.methods.base import UnavailableError
from agent_exec.bench.launch.methods.loops import Blocking, OnAsyncio, OnTrio
from agent_exec.bench.launch.programs import Program, Workbench
from agent_exec.errors import Unsupported
from agent_exec.launch.base import Launcher
from agent_exec.launch.portable import PortableLauncher
from agent_exec.launch.select import select_launcher, why_not_vfork
from agent_exec.launch.spawn_template import SpawnTemplate
from agent_exec.model.action import Action
from agent_exec.model.outcome import LauncherName, Outcome
from agent_exec.model.plan import CallPlan, SpawnPlan
from agent_exec.runtime.engine import Engine
from agent_exec.runtime.thread_engine import ThreadEngine

MAX_CONCURRENT = 16


def open_engine_asyncio(bench: Workbench) -> OnAsyncio:
    """`NativeEngine.run` under asyncio."""
    calls = EngineCalls.native(bench)
    return OnAsyncio(calls.asynchronous, calls.holds)


def open_engine_trio(bench: Workbench) -> OnTrio:
    """`NativeEngine.run` under trio."""
    calls = EngineCalls.native(bench)
    return OnTrio(calls.asynchronous, calls.holds)


def open_engine_blocking(bench: Workbench) -> Blocking:
    """`NativeEngine.run_sync`."""
    calls = EngineCalls.native(bench)
    return Blocking(calls.blocking, calls.holds)


def open_portable_asyncio(bench: Workbench) -> OnAsyncio:
    """`ThreadEngine.run` with the portable launcher, under asyncio."""
    calls = EngineCalls.portable(bench)
    return OnAsyncio(calls.asynchronous, calls.holds)


class EngineCalls:
    """Makes and checks the calls of one method; owns its engine, templates and directory."""

    def __init__(self, bench: Workbench, engine: Engine, launcher: Launcher) -> None:
        self._engine = engine
        self._launcher = launcher
        self._templates: dict[str, SpawnTemplate] = {}
        self.holds = ExitStack()
        self.holds.callback(engine.close)
        directory = os.open(bench.worktree, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self.holds.callback(os.close, directory)
        self._actions = (Action.fchdir(directory),)
        self._envp = tuple(os.fsencode(f"{name}={value}") for name, value in bench.env)

    @classmethod
    def native(cls, bench: Workbench) -> Self:
        """With the native engine, where it works."""
        reason = why_not_vfork()
        if reason is not None:
            raise UnavailableError(reason)
        from agent_exec.runtime.native_engine import NativeEngine  # noqa: PLC0415 - needs the C core

        # As a tool makes it.
        engine = NativeEngine(max_concurrent=MAX_CONCURRENT, cgroups=True)
        return cls(bench, engine, select_launcher("vfork"))

    @classmethod
    def kernel(cls, bench: Workbench) -> Self:
        """With the engine on Python threads and the kernel's own spawn templates, if it has any."""
        try:
            launcher = select_launcher("kernel")
        except Unsupported as error:
            raise UnavailableError(str(error)) from error
        return cls(bench, ThreadEngine(launcher, max_concurrent=MAX_CONCURRENT), launcher)

    @classmethod
    def portable(cls, bench: Workbench) -> Self:
        """With the engine on Python threads, and the portable launcher."""
        launcher = PortableLauncher()
        return cls(bench, ThreadEngine(launcher, max_concurrent=MAX_CONCURRENT), launcher)

    def blocking(self, program: Program) -> Launch:
        """For `Blocking`."""
        template = self._template(program)

        def launch() -> None:
            _check(program, self._engine.run_sync(self._plan(template, program)))

        return launch

    def asynchronous(self, program: Program) -> AsyncLaunch:
        """For `OnAsyncio` and `OnTrio`."""
        template = self._template(program)

        async def launch() -> None:
            _check(program, await self._engine.run(self._plan(template, program)))

        return launch

    async def outcome(self, program: Program) -> Outcome:
        """What comes of one launch, unchecked."""
        return await self._engine.run(self._plan(self._template(program), program))

    def _plan(self, template: SpawnTemplate, program: Program) -> CallPlan:
        stage = SpawnPlan(
            executable=template.executable,
            argv=tuple([os.fsencode(word) for word in program.argv]),
            envp=self._envp,
            actions=self._actions,
            session=self._launcher.name is not LauncherName.KERNEL,
            reset_signals=True,
        )
        return CallPlan(stages=(stage,))

    def _template(self, program: Program) -> SpawnTemplate:
        path = program.argv[0]
        if path not in self._templates:
            template = SpawnTemplate.create(path, launcher=self._launcher)
            self.holds.callback(template.close)
            self._templates[path] = template
        return self._templates[path]


def _check(program: Program, outcome: Outcome) -> None:
    program.check(outcome.stages[0].exit_code, outcome.stdout.head, outcome.stderr.head)
