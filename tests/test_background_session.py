"""Background sessions in the hands of a program: `ExecTool.start`."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import anyio
import pytest
from realproc import PATIENCE_S
from sessions import come

from agent_exec import (
    BackgroundSession,
    Ended,
    ExecTool,
    InvalidCall,
    LaunchError,
    ProgramNotFound,
)


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    folder = tmp_path / "worktree"
    folder.mkdir()
    return folder


def program(worktree: Path, use: Any, backend: str = "asyncio", **options: Any) -> None:
    async def main() -> None:
        async with ExecTool(worktree, **({"policy": "open"} | options)) as tool:
            await use(tool)

    anyio.run(main, backend=backend)


async def text_until(session: BackgroundSession, text: str) -> str:
    whole = ""
    with anyio.fail_after(PATIENCE_S):
        while text not in whole:
            result = await session.read(0, wait_s=0.1)
            whole = result.stdout.head
    return whole


def test_a_program_has_an_object(worktree: Path, anyio_backend: str) -> None:
    async def use(tool: ExecTool) -> None:
        async with await tool.start(["cat"]) as session:
            assert session.running
            assert await session.write("é\n") == 3
            assert await text_until(session, "\n") == "é\n"
            assert await session.write(b"\xff", close=True) == 1
            last = await session.wait()
            assert (last.ended, last.status) == (Ended.EXIT, 0)
        async with await tool.start_shell("sleep 1000 | cat") as session:
            pass
        assert not session.running
        async with await tool.start_pipeline([["echo", "a"], ["cat"]]) as session:
            last = await session.wait()
            assert (len(last.stages), last.stdout.head) == (2, "a\n")
            again = await session.read(0)
            assert (again.stdout.head, again.stages) == ("a\n", last.stages)
        with pytest.raises(InvalidCall):
            await session.signal("SIGINT")
        with pytest.raises(InvalidCall):
            await session.read(10**9)
        with pytest.raises(InvalidCall):
            await session.resize(10, 10)

    program(worktree, use, anyio_backend)


def test_a_block_that_is_cancelled_ends_its_session(worktree: Path, anyio_backend: str) -> None:
    async def use(tool: ExecTool) -> None:
        with anyio.CancelScope() as scope:
            async with await tool.start(["sleep", "1000"]) as session:
                scope.cancel()
                await anyio.sleep_forever()
        assert not session.running
        assert not tool.running_sessions

    program(worktree, use, anyio_backend)


def test_a_cancelled_start_leaves_nothing(worktree: Path, anyio_backend: str) -> None:
    async def use(tool: ExecTool) -> None:
        with anyio.move_on_after(0.2) as scope:
            await tool.start(["sleep", "1000"])
        assert scope.cancelled_caught
        await come(lambda: not tool.running_sessions)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("agent_exec.runtime.sessions.served.START_S", 1000.0)
        program(worktree, use, anyio_backend)


def test_what_a_start_raises(worktree: Path) -> None:
    (worktree / "broken").write_text("#!/no/such/interpreter\n")
    (worktree / "broken").chmod(0o755)

    async def use(tool: ExecTool) -> None:
        with pytest.raises(ProgramNotFound):
            await tool.start(["no-such-program"])
        with pytest.raises(LaunchError):
            await tool.start(["./broken"])
        with pytest.raises(InvalidCall):
            await tool.start(["cat"], stdout=1)
        with pytest.raises(InvalidCall):
            await tool.start(["cat"], stdin=0)

    program(worktree, use)


def test_the_whole_output_can_be_kept(worktree: Path, tmp_path: Path) -> None:
    async def use(tool: ExecTool) -> None:
        session = await tool.start(["seq", "5000"], keep_output=True)
        last = await session.wait()
        assert last.stdout.file is not None
        kept = Path(last.stdout.file)
        assert kept.read_text() == "".join(f"{n}\n" for n in range(1, 5001))
        assert kept.stat().st_mode & 0o777 == 0o600
        session = await tool.start(["seq", "50000"], keep_output=True)
        last = await session.wait()
        assert last.stdout.file is not None
        assert os.path.getsize(last.stdout.file) == 100_000
        assert any("has only the first 100000 of" in notice for notice in last.notices)

    program(worktree, use, output_bytes=100, output_dir=tmp_path / "o", output_file_bytes=100_000)


def test_one_session_from_two_loops(worktree: Path) -> None:
    with ExecTool(worktree, policy="open") as tool:
        session = anyio.run(tool.start, ["cat"], backend="trio")
        anyio.run(session.write, "a\n", backend="asyncio")

        async def read() -> str:
            return await text_until(session, "\n")

        found: list[str] = []
        thread = threading.Thread(target=lambda: found.append(anyio.run(read)))
        thread.start()
        thread.join(PATIENCE_S)
        assert found == ["a\n"]
        assert anyio.run(session.stop).ended is Ended.CANCELLED


def test_a_forked_child_has_no_sessions(worktree: Path) -> None:
    async def use(tool: ExecTool) -> None:
        session = await tool.start(["cat"])
        told, tell = os.pipe()
        stay, leave = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(leave)
            os.write(tell, str(tool.running_sessions).encode())
            os.read(stay, 1)
            os._exit(0)
        os.close(tell)
        os.close(stay)
        assert os.read(told, 10) == b"0"
        os.close(told)
        try:
            # The child lives, and holds none of its pipes: it sees the end of its input.
            await session.write("a\n", close=True)
            with anyio.fail_after(PATIENCE_S):
                last = await session.wait()
        finally:
            os.close(leave)
        assert last.stdout.head == "a\n"
        assert await anyio.to_thread.run_sync(os.waitpid, pid, 0) == (pid, 0)

    program(worktree, use)


def test_sigint_by_number(worktree: Path) -> None:
    async def use(tool: ExecTool) -> None:
        session = await tool.start(["sh", "-c", "echo ready; exec sleep 1000"])
        await text_until(session, "ready")
        assert await session.signal(signal.SIGINT) == 1
        assert (await session.wait()).stages[0].signal == "SIGINT"

    program(worktree, use)
