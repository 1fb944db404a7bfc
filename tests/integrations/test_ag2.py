"""The sandbox under the real ag2, with its own scripted model."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from anyio import to_thread
from framework_suite import (
    LONG_TREE,
    ApproverSuite,
    Arguments,
    Asked,
    BackgroundSuite,
    CancellingSuite,
    with_tool,
    worktree,
)
from mcp_wire import wait_for_tails

from agent_exec import Answer, ExecTool, Reply

pytest.importorskip("ag2")

from ag2 import Agent
from ag2.events import ToolCallEvent
from ag2.testing import TestConfig, TrackingConfig
from ag2.tools import SandboxShellTool
from ag2.tools.sandbox.base import Sandbox
from ag2.tools.sandbox.factory import SingletonFactory

from agent_exec.integrations.ag2 import ExecSandbox, exec_tools

__all__ = ["worktree"]
pytestmark = [pytest.mark.foreign, pytest.mark.filterwarnings("default")]


class TestAg2(CancellingSuite, ApproverSuite, BackgroundSuite):
    async def run(self, tool: ExecTool, arguments: Arguments) -> str | Asked:
        return await self.sent(exec_tools(tool), "exec", arguments)

    async def called(self, tool: ExecTool, arguments: Arguments) -> object:
        return await self.run(tool, arguments)

    def adapter(self, tool: ExecTool, owner: str | None = None) -> Any:
        return exec_tools(tool, owner=owner)

    async def sent(self, adapter: Any, name: str, arguments: Arguments) -> str:
        call = ToolCallEvent(name, arguments=json.dumps(dict(arguments)))
        config = TrackingConfig(TestConfig(call, "done"))
        await Agent("coder", config=config, tools=adapter).ask("go on")
        (event,) = config.mock.call_args_list[-1].args
        (part,) = event.results[0].result.parts
        return str(part.content)


def sandboxed(worktree: Path, argv: list[str], **options: Any) -> tuple[int, str]:
    given = {name: options.pop(name) for name in ("env", "timeout") if name in options}

    async def use(tool: ExecTool) -> tuple[int, str]:
        done = await ExecSandbox(tool).exec(argv, **given)
        return done.exit_code, done.output

    return with_tool(worktree, use, **options)


def test_it_is_a_sandbox(worktree: Path) -> None:
    with ExecTool(worktree, audit=False) as tool:
        made = ExecSandbox(tool)
        assert isinstance(made, Sandbox)
        assert made.workdir == PurePosixPath(worktree)
        assert made.host_workdir == worktree


def test_the_shell_tool_of_ag2_runs_in_it(worktree: Path) -> None:
    async def use(tool: ExecTool) -> str:
        shell = SandboxShellTool(SingletonFactory(ExecSandbox(tool)))
        call = ToolCallEvent(shell.name, arguments=json.dumps({"command": "cat a.txt | wc -l"}))
        config = TrackingConfig(TestConfig(call, "done"))
        await Agent("coder", config=config, tools=[shell]).ask("go on")
        return str(config.mock.call_args_list[-1])

    assert "1" in with_tool(worktree, use, policy="strict")


@pytest.mark.parametrize(
    ("argv", "options", "status", "output"),
    [
        pytest.param(["cat", "a.txt"], {}, 0, "one", id="allowed"),
        pytest.param(["sh", "-c", "cat a.txt | wc -l"], {}, 0, "1", id="text"),
        pytest.param(["cat", "missing"], {}, 1, "No such file", id="fails"),
        pytest.param(["no-such-program"], {}, 127, "no such program", id="no-program"),
        pytest.param(["rm", "a.txt"], {}, 126, "refused", id="asked-about"),
        pytest.param(["rm", "a.txt"], {"policy": "read-only"}, 126, "refused", id="denied"),
        pytest.param(["tail", "-f", "a.txt"], {"timeout": 0.05}, 124, "timed out", id="long"),
        pytest.param(
            ["env"], {"env": {"NO_COLOR": "1"}, "policy": "open"}, 0, "NO_COLOR=1", id="env"
        ),
    ],
)
def test_what_becomes_of_a_command(
    worktree: Path, argv: list[str], options: dict[str, Any], status: int, output: str
) -> None:
    got = sandboxed(worktree, argv, grace_s=0.0, **options)
    assert got[0] == status
    assert output in got[1]
    assert (worktree / "a.txt").exists()


@pytest.mark.parametrize("reply", [Reply.ONCE, Reply.NEVER])
def test_the_approver_of_the_tool_is_asked(worktree: Path, reply: Reply) -> None:
    status, _ = sandboxed(worktree, ["touch", "new"], approver=lambda _question: Answer(reply))
    assert status == (0 if reply is Reply.ONCE else 126)
    assert (worktree / "new").exists() is (reply is Reply.ONCE)


def test_a_long_output_says_what_was_left_out(worktree: Path) -> None:
    (worktree / "long.txt").write_text("x" * 100_000)
    assert "bytes left out" in sandboxed(worktree, ["cat", "long.txt"])[1]


def test_files_are_those_of_the_worktree(worktree: Path) -> None:
    async def use(tool: ExecTool) -> None:
        sandbox = ExecSandbox(tool)
        await sandbox.put_file(PurePosixPath("sub/new.txt"), b"new")
        with pytest.raises(PermissionError):
            await sandbox.put_file(PurePosixPath("../new.txt"), b"new")
        with pytest.raises(ValueError, match="is absolute"):
            await sandbox.put_file(PurePosixPath("/tmp/new.txt"), b"new")

    with_tool(worktree, use)
    assert (worktree / "sub" / "new.txt").read_bytes() == b"new"
    assert not (worktree.parent / "new.txt").exists()


def test_a_call_that_is_cancelled_leaves_no_process(worktree: Path) -> None:
    async def use(tool: ExecTool) -> None:
        running = asyncio.ensure_future(ExecSandbox(tool).exec(LONG_TREE["argv"]))
        await to_thread.run_sync(partial(wait_for_tails, worktree, count=2))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await to_thread.run_sync(partial(wait_for_tails, worktree, count=0))

    with_tool(worktree, use, policy="open", grace_s=0.0)
