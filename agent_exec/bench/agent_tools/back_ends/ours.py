"""How agents run tools with us: the whole tool, and the bare engine.

The tool is as a user has it: a policy decides on every call, and an audit log is written. The
engine launches from spawn templates and captures; it decides and records nothing.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from agent_exec.bench.agent_tools.back_ends.base import UnavailableError
from agent_exec.bench.agent_tools.corpus import PATH, Corpus
from agent_exec.bench.agent_tools.tasks import NODE, PYTHON, Answer, Task, decode
from agent_exec.bench.launch.methods.base import UnavailableError as NoEngineError
from agent_exec.bench.launch.methods.ours import EngineCalls
from agent_exec.bench.launch.programs import Program, Workbench
from agent_exec.errors import AgentExecError
from agent_exec.model.result import ToolResult
from agent_exec.tool import ExecTool

POLICY = f"""\
# default, which allows what only reads, and the two interpreters of the benchmark. Children are
# confined, but for those of the portable launcher, which cannot.
version: 1
extends: [default]
sandbox: {{require: []}}
rules:
  - id: bench-python
    command: {json.dumps(PYTHON)}
    verdict: allow
    because: "the benchmark's own program"
  - id: bench-node
    command: {json.dumps(NODE)}
    verdict: allow
    because: "the benchmark's own program"
"""


class Tool:
    """`ExecTool.run` and `run_shell`, from the argv or text to the result."""

    def __init__(self, corpus: Corpus, launcher: str) -> None:
        policy = Path(corpus.worktree).parent / f"bench-{os.getpid()}.yaml"
        policy.write_text(POLICY, "utf-8")
        try:
            self._tool = ExecTool(corpus.worktree, policy=policy, launcher=launcher)
        except AgentExecError as error:
            raise UnavailableError(str(error)) from error

    async def run(self, task: Task) -> Answer:
        if task.text is None:
            return _answer(await self._tool.run(task.argv))
        return _answer(await self._tool.run_shell(task.text))

    def close(self) -> None:
        self._tool.close()


def _answer(result: ToolResult) -> Answer:
    return Answer(
        status=result.status,
        stdout=result.stdout.head + result.stdout.tail,
        stderr=result.stderr.head + result.stderr.tail,
    )


class BareEngine:
    """`Engine.run`: each call with a plan of its own, from a template.

    Args:
        corpus: What the tools work on.
        launcher: ``vfork``, by the native engine; ``kernel``, by the one on Python threads, which
            then starts programs that lead no session: the kernel's calls cannot make one.
    """

    def __init__(self, corpus: Corpus, launcher: str) -> None:
        bench = Workbench(worktree=corpus.worktree, env=corpus.env, floor="", programs=())
        make = EngineCalls.kernel if launcher == "kernel" else EngineCalls.native
        try:
            self._calls = make(bench)
        except NoEngineError as error:
            raise UnavailableError(str(error)) from error
        self._programs: dict[str, Program] = {}

    async def run(self, task: Task) -> Answer:
        outcome = await self._calls.outcome(self._program(task))
        return Answer(
            status=outcome.stages[0].exit_code,
            stdout=decode(outcome.stdout.head + outcome.stdout.tail),
            stderr=decode(outcome.stderr.head + outcome.stderr.tail),
        )

    def _program(self, task: Task) -> Program:
        if task.name not in self._programs:
            path = shutil.which(task.argv[0], path=PATH)
            assert path is not None
            # By its real path: what an alternative is called is no matter to any of the tools.
            argv = (os.path.realpath(path), *task.argv[1:])
            self._programs[task.name] = Program(name=task.name, argv=argv, stdout=b"")
        return self._programs[task.name]

    def close(self) -> None:
        self._calls.holds.close()
