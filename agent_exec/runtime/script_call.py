"""One call of a text that runs without a shell, from its grant to its result."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from typing import Self

from agent_exec.errors import LaunchError, TemplateError
from agent_exec.model.decision import Decision, Grant
from agent_exec.model.outcome import Outcome
from agent_exec.model.request import Command
from agent_exec.model.result import ToolResult
from agent_exec.runtime.bind import Settings
from agent_exec.runtime.engine import Engine
from agent_exec.runtime.render_script import render_script
from agent_exec.runtime.script import ScriptRun
from agent_exec.runtime.script_values import Steps, StepToTake, Write
from agent_exec.runtime.spill import OutputFile


class ScriptCall:
    """Use as a context manager: it closes the output files.

    Args:
        grant: Whose request holds a script.
        settings: Of the tool.
        judge_again: See `ScriptRun`.
    """

    def __init__(
        self, grant: Grant, settings: Settings, judge_again: Callable[[Command], Decision]
    ) -> None:
        self._grant = grant
        self._settings = settings
        self._files: list[OutputFile | None] = [None, None]
        call = grant.request.call
        if call.keep_output:
            try:
                if call.stdout is None:
                    self._files[0] = self._file("stdout")
                if call.stderr is None:
                    self._files[1] = self._file("stderr")
            except BaseException:
                self._close(keep=False)
                raise
        live = (None, None) if settings.live is None else settings.live.files
        files = (self._files[0] or live[0], self._files[1] or live[1])
        self._run = ScriptRun(grant, settings, judge_again, files)

    async def run(self, engine: Engine) -> ToolResult:
        """Under asyncio or trio. Raises as `Engine.run`."""
        with closing(self._run.steps()) as steps:
            walk = _Walk(steps)
            while walk.step is not None:
                if isinstance(walk.step, Write):
                    # Not at the top: a blocking caller needs no anyio.
                    from anyio import to_thread  # noqa: PLC0415

                    await to_thread.run_sync(_write, walk.step)
                    walk.went(None)
                    continue
                try:
                    outcome = await engine.run(walk.step)
                except (TemplateError, LaunchError) as error:
                    walk.failed(error)
                else:
                    walk.went(outcome)
        return self._result()

    def run_sync(self, engine: Engine) -> ToolResult:
        """On the calling thread. Raises as `Engine.run_sync`."""
        with closing(self._run.steps()) as steps:
            walk = _Walk(steps)
            while walk.step is not None:
                if isinstance(walk.step, Write):
                    _write(walk.step)
                    walk.went(None)
                    continue
                try:
                    outcome = engine.run_sync(walk.step)
                except (TemplateError, LaunchError) as error:
                    walk.failed(error)
                else:
                    walk.went(outcome)
        return self._result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._close(keep=kind is None or bool(self._run.stages))

    def _result(self) -> ToolResult:
        out, err = self._files
        result = render_script(
            self._grant,
            self._run,
            stdout_file=None if out is None else out.path,
            stderr_file=None if err is None else err.path,
        )
        return self._run.confining.explained(result, self._grant.request.cwd)

    def _file(self, name: str) -> OutputFile:
        settings = self._settings
        name = f"{self._grant.request.id}.{name}"
        return OutputFile.create(settings.output_folder, name, settings.output_cap)

    def _close(self, *, keep: bool) -> None:
        for file in self._files:
            if file is not None:
                file.close(keep=keep)


class _Walk:
    """A run, one step at a time. `step` is None at its end."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self.step: StepToTake | None = next(steps, None)

    def went(self, outcome: Outcome | None) -> None:
        """The step was taken."""
        try:
            self.step = self._steps.send(outcome)
        except StopIteration:
            self.step = None

    def failed(self, error: Exception) -> None:
        """Nothing was started."""
        try:
            self.step = self._steps.throw(error)
        except StopIteration:
            self.step = None


def _write(step: Write) -> None:
    view = memoryview(step.data)
    while view:
        try:
            view = view[os.write(step.fd, view) :]
        except BlockingIOError:
            os.set_blocking(step.fd, True)
        except BrokenPipeError:
            return  # nobody reads it any more
