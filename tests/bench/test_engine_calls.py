"""Launches of the benchmarks through an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from realproc import is_built

from agent_exec.bench.launch.methods import ours
from agent_exec.bench.launch.methods.base import UnavailableError
from agent_exec.bench.launch.programs import Program, Workbench
from agent_exec.launch.select import why_not_kernel


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(worktree=str(tmp_path), env=(), floor="", programs=())


@pytest.mark.skipif(not is_built("native"), reason="the C core is not built")
def test_the_kernel_starts_programs_where_it_has_templates(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Imported here: both need the C core.
    from fake_kernel import FakeKernel

    from agent_exec.launch import kernel_abi as abi
    from agent_exec.launch.kernel import KernelLauncher
    from agent_exec.launch.vfork import VforkLauncher

    kernel, numbers = FakeKernel(), []

    def called(number: int, *rest: Any) -> int:
        numbers.append(number)
        return kernel.call(number, *rest)

    launcher = KernelLauncher(called, VforkLauncher())
    monkeypatch.setattr(ours, "select_launcher", {"kernel": launcher}.__getitem__)
    calls = ours.EngineCalls.kernel(bench)
    with calls.holds:
        echo = Program(name="echo", argv=("/bin/echo", "hello"), stdout=b"")
        outcomes = [anyio.run(calls.outcome, echo) for _ in range(2)]
    assert [numbers.count(number) for number in (abi.CREATE, abi.SPAWN)] == [1, 2]
    (outcome, _) = outcomes
    assert [stage.exit_code for stage in outcome.stages] == [0]
    assert outcome.stdout.head == b"hello\n"


@pytest.mark.skipif(why_not_kernel() is None, reason="this kernel has the calls")
def test_without_them_it_is_said_why(bench: Workbench) -> None:
    with pytest.raises(UnavailableError, match="the kernel launcher cannot be used: "):
        ours.EngineCalls.kernel(bench)
