"""The sandbox session under the real OpenAI Agents SDK, with its own scripted model."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import anyio
import pytest
from anyio import to_thread
from framework_suite import LONG_TREE, ApproverSuite, Arguments, with_tool, worktree
from mcp_wire import wait_for_tails

from agent_exec import Answer, ExecTool, Reply

pytest.importorskip("agents.sandbox")

from agents import RunConfig, Runner
from agents.run_config import SandboxRunConfig
from agents.sandbox import SandboxAgent
from agents.sandbox.errors import (
    ExecNonZeroError,
    ExecTimeoutError,
    ExecTransportError,
    PtySessionNotFoundError,
    WorkspaceArchiveReadError,
    WorkspaceArchiveWriteError,
    WorkspaceReadNotFoundError,
)
from agents.testing import ScriptedModel, assistant_message, function_call

from agent_exec.integrations.openai_agents import ExecSandboxSession

__all__ = ["worktree"]
pytestmark = [pytest.mark.foreign, pytest.mark.filterwarnings("default")]

T = TypeVar("T")


def in_sandbox(
    worktree: Path, use: Callable[[ExecSandboxSession], Awaitable[T]], **options: Any
) -> T:
    return with_tool(
        worktree, lambda tool: use(ExecSandboxSession(tool)), **{"policy": "open", **options}
    )


def executed(
    worktree: Path, *command: str, timeout: float | None = None, **options: Any
) -> tuple[int, str, str]:
    """Of a text, or of several words without a shell."""

    async def use(sandbox: ExecSandboxSession) -> tuple[int, str, str]:
        done = await sandbox.exec(*command, timeout=timeout, shell=len(command) == 1)
        return done.exit_code, done.stdout.decode(), done.stderr.decode()

    return in_sandbox(worktree, use, **options)


@pytest.mark.parametrize(
    ("command", "options", "status", "out", "err"),
    [
        pytest.param(["cat a.txt | wc -l"], {"policy": "strict"}, 0, "1\n", "", id="text"),
        pytest.param(["cat", "a.txt"], {"policy": "strict"}, 0, "one\n", "", id="words"),
        pytest.param(["echo o; echo e >&2; exit 3"], {}, 3, "o\n", "e\n", id="both"),
        pytest.param(["no-such-program"], {}, 127, "", "no-such-program", id="in-a-text"),
        pytest.param(["no-such-program", "-x"], {}, 127, "", "no such program", id="no-program"),
        pytest.param(["rm a.txt"], {"policy": "read-only"}, 126, "", "refused", id="denied"),
        pytest.param(["rm a.txt"], {"policy": "default"}, 126, "", "refused", id="asked"),
        pytest.param(["kill -9 $$"], {}, 137, "", "", id="killed"),
    ],
)
def test_what_becomes_of_a_command(
    worktree: Path, command: list[str], options: dict[str, Any], status: int, out: str, err: str
) -> None:
    done = executed(worktree, *command, **options)
    assert done[:2] == (status, out)
    assert err in done[2]
    assert (worktree / "a.txt").exists()


def test_one_that_takes_too_long_is_ended(worktree: Path) -> None:
    with pytest.raises(ExecTimeoutError):
        executed(worktree, LONG_TREE["argv"][2], timeout=0.3, grace_s=0.0)
    wait_for_tails(worktree, count=0)


def test_a_long_output_says_what_was_left_out(worktree: Path) -> None:
    (worktree / "long.txt").write_text("x" * 100_000)
    assert "bytes left out" in executed(worktree, "cat long.txt")[1]


def test_a_tool_that_was_closed_runs_nothing(worktree: Path) -> None:
    async def use(sandbox: ExecSandboxSession) -> None:
        sandbox._tool.close()
        with pytest.raises(ExecTransportError, match="closed"):
            await sandbox.exec("cat a.txt")

    in_sandbox(worktree, use)


class TestOpenAISandbox(ApproverSuite):
    async def called(self, tool: ExecTool, arguments: Arguments) -> object:
        return await ExecSandboxSession(tool).exec(*arguments["argv"], shell=False)


@pytest.mark.parametrize("reply", [Reply.ONCE, Reply.NEVER])
def test_the_approver_of_the_tool_is_asked(worktree: Path, reply: Reply) -> None:
    approver: dict[str, Any] = {"policy": "default", "approver": lambda _question: Answer(reply)}
    status, _, _ = executed(worktree, "touch new", **approver)
    assert status == (0 if reply is Reply.ONCE else 126)
    assert (worktree / "new").exists() is (reply is Reply.ONCE)


def told_by(worktree: Path, *calls: dict[str, Any], **options: Any) -> list[str]:
    """What a sandbox agent's model is given back for its calls of ``exec_command``."""

    async def use(sandbox: ExecSandboxSession) -> list[str]:
        steps = [
            [function_call("exec_command", call, call_id=f"call-{n}")]
            for n, call in enumerate(calls)
        ]
        model = ScriptedModel([*steps, [assistant_message("done")]])
        config = RunConfig(tracing_disabled=True, sandbox=SandboxRunConfig(session=sandbox))
        agent = SandboxAgent(name="coder", model=model)
        result = await Runner.run(agent, "go on", run_config=config)
        return [str(each.output) for each in result.new_items if hasattr(each, "output")]

    return in_sandbox(worktree, use, **options)


def test_an_agent_works_in_the_worktree(worktree: Path) -> None:
    (worktree / "sub").mkdir()
    calls = [{"cmd": "cat a.txt | wc -l"}, {"cmd": "pwd", "workdir": "sub"}]
    told = told_by(worktree, *calls, policy="strict")
    assert all("Process exited with code 0" in each for each in told)
    assert [each.rpartition("Output:\n")[2] for each in told] == ["1\n", f"{worktree}/sub\n"]


def test_an_agent_reads_why_it_was_refused(worktree: Path) -> None:
    (told,) = told_by(worktree, {"cmd": "rm a.txt"}, policy="read-only")
    assert "Process exited with code 126" in told
    assert "refused: " in told
    assert (worktree / "a.txt").exists()


def test_a_command_goes_on_and_is_looked_at_again(worktree: Path) -> None:
    async def use(sandbox: ExecSandboxSession) -> None:
        text = "echo begun; read -r line < gate; echo $line; exit 3"
        await sandbox.exec("mkfifo", "gate", shell=False)
        begun = await sandbox.pty_exec_start(text, yield_time_s=0.0)
        assert begun.exit_code is None
        assert begun.process_id is not None
        with pytest.raises(RuntimeError, match="stdin is not available for this process"):
            await sandbox.pty_write_stdin(session_id=begun.process_id, chars="x")
        await to_thread.run_sync((worktree / "gate").write_text, "done\n")
        ended = await sandbox.pty_write_stdin(session_id=begun.process_id, chars="")
        assert (begun.output + ended.output, ended.exit_code) == (b"begun\ndone\n", 3)
        assert ended.process_id is None
        with pytest.raises(PtySessionNotFoundError):
            await sandbox.pty_write_stdin(session_id=begun.process_id, chars="")

    in_sandbox(worktree, use)


def test_a_command_has_a_terminal_where_that_is_wanted(worktree: Path) -> None:
    async def use(sandbox: ExecSandboxSession) -> None:
        begun = await sandbox.pty_exec_start("cat", tty=True, yield_time_s=0.0)
        assert begun.process_id is not None
        output = b""
        with anyio.fail_after(20):
            await sandbox.pty_write_stdin(session_id=begun.process_id, chars="hello\n")
            ended = await sandbox.pty_write_stdin(session_id=begun.process_id, chars="\x04")
            while ended.process_id is not None:
                output += ended.output
                ended = await sandbox.pty_write_stdin(session_id=begun.process_id, chars="")
        assert ended.exit_code == 0

    in_sandbox(worktree, use)


def test_what_goes_on_is_ended_with_the_session(worktree: Path) -> None:
    async def use(sandbox: ExecSandboxSession) -> None:
        async with sandbox:
            await sandbox.pty_exec_start(LONG_TREE["argv"][2], yield_time_s=0.0)
            await to_thread.run_sync(partial(wait_for_tails, worktree, count=2))
        await to_thread.run_sync(partial(wait_for_tails, worktree, count=0))
        assert not await sandbox.running()

    in_sandbox(worktree, use, grace_s=0.0)


@pytest.mark.parametrize(
    ("command", "policy", "status"),
    [("rm a.txt", "read-only", 126), ("no-such-program", "open", 127)],
)
def test_one_that_cannot_be_started_goes_on_nowhere(
    worktree: Path, command: str, policy: str, status: int
) -> None:
    async def use(sandbox: ExecSandboxSession) -> None:
        done = await sandbox.pty_exec_start(*command.split(), shell=False)
        assert (done.process_id, done.exit_code) == (None, status)
        assert b"refused" in done.output

    in_sandbox(worktree, use, policy=policy)


def test_a_command_that_is_cancelled_leaves_no_process(worktree: Path) -> None:
    async def use(sandbox: ExecSandboxSession) -> None:
        running = asyncio.ensure_future(sandbox.exec(LONG_TREE["argv"][2]))
        await to_thread.run_sync(partial(wait_for_tails, worktree, count=2))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await to_thread.run_sync(partial(wait_for_tails, worktree, count=0))

    in_sandbox(worktree, use, grace_s=0.0)


def test_files_come_and_go_byte_for_byte(worktree: Path) -> None:
    async def use(sandbox: ExecSandboxSession) -> None:
        for data in (b"", b"\xff\x00\n" * 100_000):
            await sandbox.write(Path("sub/new.bin"), io.BytesIO(data))
            assert (await sandbox.read(Path("sub/new.bin"))).read() == data
        await sandbox.mv("sub/new.bin", "b.bin")
        assert await sandbox.same_file("b.bin", "b.bin")
        assert not await sandbox.same_file("b.bin", "missing")
        assert sorted(Path(each.path).name for each in await sandbox.ls(".")) == [
            "a.txt",
            "b.bin",
            "sub",
        ]
        await sandbox.rm("sub", recursive=True)
        await sandbox.mkdir("c")
        with pytest.raises(ExecNonZeroError, match="directory"):
            await sandbox.mv("c", "d")

    in_sandbox(worktree, use)
    assert sorted(each.name for each in worktree.iterdir()) == ["a.txt", "b.bin", "c"]


def test_a_patch_is_applied(worktree: Path) -> None:
    async def use(sandbox: ExecSandboxSession) -> None:
        await sandbox.apply_patch(
            [
                {"type": "update_file", "path": "a.txt", "diff": "@@\n-one\n+two\n"},
                {"type": "create_file", "path": "sub/b.txt", "diff": "+three\n"},
            ]
        )

    in_sandbox(worktree, use)
    assert (worktree / "a.txt").read_text().strip() == "two"
    assert (worktree / "sub" / "b.txt").read_text().strip() == "three"


@pytest.mark.parametrize("policy", ["read-only", "default"])
def test_files_are_judged_as_commands_are(worktree: Path, policy: str) -> None:
    (worktree / ".env").write_text("SECRET=1")
    (worktree / "link").symlink_to("/etc/shadow")

    async def use(sandbox: ExecSandboxSession) -> None:
        assert (await sandbox.read(Path("a.txt"))).read() == b"one\n"
        for name in (".env", "link"):
            with pytest.raises((WorkspaceArchiveReadError, ValueError)):
                await sandbox.read(Path(name))
        with pytest.raises(WorkspaceReadNotFoundError):
            await sandbox.read(Path("missing"))
        with pytest.raises(WorkspaceArchiveWriteError) as caught:
            await sandbox.write(Path("new"), io.BytesIO(b"new"))
        assert caught.value.context["reason"]

    in_sandbox(worktree, use, policy=policy)
    assert not (worktree / "new").exists()


@pytest.mark.parametrize("path", ["../new", "/etc/agent-exec-new"])
def test_files_are_those_of_the_worktree(worktree: Path, path: str) -> None:
    async def use(sandbox: ExecSandboxSession) -> None:
        with pytest.raises(Exception, match=r"must be relative|must not escape"):
            await sandbox.write(Path(path), io.BytesIO(b""))

    in_sandbox(worktree, use)
    assert not (worktree / path).exists()


def test_there_is_no_other_user(worktree: Path) -> None:
    async def use(sandbox: ExecSandboxSession) -> None:
        with pytest.raises(ValueError, match="current user"):
            await sandbox.exec("id", user="nobody")

    in_sandbox(worktree, use)
