"""Whole calls of `ExecTool`, by a policy that requires bubblewrap and by one that does not."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent_exec.bench.launch.programs import WrongResultError
from agent_exec.bench.sandbox.way import Way
from agent_exec.tool import ExecTool

_POLICY = """
version: 1
extends: [default]
sandbox: {{require: [{require}]}}
rules: [{{id: tiny, command: [{program}], verdict: allow, because: it is measured}}]
"""
_BASE = "tool/1"


@contextmanager
def tool_ways(program: Path, *, boxed: bool) -> Iterator[list[Way]]:
    """Calls of `program`, one after the other; where `boxed`, in bubblewrap, too."""
    worktree = program.parent / "worktree"
    worktree.mkdir()
    kinds: list[tuple[str, str, tuple[str, ...]]] = [
        ("tool", "a whole call: Landlock, limits, seccomp", ("landlock", "seccomp"))
    ]
    if boxed:
        required: tuple[str, ...] = ("landlock", "seccomp", "bubblewrap")
        kinds.append(("tool, bubblewrap", "the same, and bubblewrap", required))
    ways = []
    with ExitStack() as opened:
        for name, how, required in kinds:
            policy = program.parent / f"{len(required)}.yaml"
            text = _POLICY.format(require=", ".join(required), program=json.dumps(str(program)))
            policy.write_text(text, "utf-8")
            tool = opened.enter_context(
                ExecTool(worktree, policy=policy, launcher="vfork", audit=False)
            )
            ways.append(Way(f"{name}/1", how, 1, _BASE, _Calls(tool, str(program), required)))
        yield ways


@dataclass(frozen=True, slots=True)
class _Calls:
    tool: ExecTool
    program: str
    required: tuple[str, ...]

    def __call__(self, launches: int) -> float:
        begin = time.perf_counter()
        for _ in range(launches):
            result = self.tool.run_sync([self.program])
            held = result.held_by or ()
            if result.status != 0 or not set(self.required) <= set(held):
                raise WrongResultError(f"{self.program}: {result!r}")
        return time.perf_counter() - begin
