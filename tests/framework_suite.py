"""What every adapter for an agent framework has to do, through that framework's own agent.

A test module makes a class of `AgentSuite`, and says in it how its framework runs an agent whose
model calls `exec` once. Everything else is the same for all.
"""

from __future__ import annotations

import asyncio
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import anyio
import pytest
from anyio import to_thread
from mcp_wire import wait_for_tails
from realproc import PATIENCE_S, is_alive, wait_until

from agent_exec import Answer, ExecTool, Question

T = TypeVar("T")

LONG_TREE = {"argv": ["sh", "-c", "tail -f a.txt & tail -f a.txt"]}
"""The arguments of a call that goes on until it is ended, with a child of its own."""
_TALKS = {
    "argv": ["sh", "-c", "echo pid $$; while read x; do echo got $x; done"],
    "background": True,
}


class Asked(NamedTuple):
    """A run that waits for a person."""

    shown: str
    """What the person is shown."""
    state: str
    """What the framework stores, as text: another process goes on with it."""


Arguments = Mapping[str, Any]


def with_tool(worktree: Path, use: Callable[[ExecTool], Awaitable[T]], **options: Any) -> T:
    """`use`, under asyncio, with a tool of its own; its wait is bounded."""

    async def main() -> T:
        async with ExecTool(worktree, audit=False, **options) as tool:
            with anyio.fail_after(40):
                return await use(tool)

    return anyio.run(main)


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    """With one file in it."""
    folder = tmp_path / "worktree"
    folder.mkdir()
    (folder / "a.txt").write_text("one\n")
    return folder


class AgentSuite(ABC):
    """Of every framework."""

    @abstractmethod
    async def run(self, tool: ExecTool, arguments: Arguments) -> str | Asked:
        """Run an agent whose model calls `exec` with `arguments`, and then gives up.

        Returns:
            str | Asked: What the model was given back, or what the run waits for.
        """

    def result(self, worktree: Path, arguments: Arguments, **options: Any) -> str:
        """What the model is given back for a call that nobody is asked about."""
        told = with_tool(worktree, lambda tool: self.run(tool, arguments), **options)
        assert isinstance(told, str)
        return told

    def test_a_call_that_is_allowed(self, worktree: Path) -> None:
        told = self.result(worktree, {"argv": ["cat", "a.txt"]})
        assert told.startswith("exit status 0")
        assert told.endswith("stdout:\none")

    def test_shell_text_runs_without_a_shell(self, worktree: Path) -> None:
        told = self.result(worktree, {"command": "cat a.txt | wc -l"}, policy="strict")
        assert told.endswith("stdout:\n1")

    @pytest.mark.parametrize(
        ("arguments", "answer"),
        [
            pytest.param({}, "send argv", id="nothing"),
            pytest.param({"argv": "cat a.txt"}, 'send {"argv": ["cat", "a.txt"]}', id="a-line"),
            pytest.param({"argv": ["no-such-program"]}, "no such program", id="no-program"),
            pytest.param({"argv": ["cat"], "colour": "red"}, "there is no field", id="field"),
        ],
    )
    def test_a_mistake_is_an_answer(
        self, worktree: Path, arguments: Arguments, answer: str
    ) -> None:
        assert answer in self.result(worktree, arguments)

    def test_a_call_that_is_denied(self, worktree: Path) -> None:
        told = self.result(worktree, {"argv": ["rm", "a.txt"]}, policy="read-only")
        assert told.startswith("refused: ")
        assert (worktree / "a.txt").exists()

    def test_a_call_that_fails(self, worktree: Path) -> None:
        told = self.result(worktree, {"argv": ["cat", "missing"]})
        assert told.startswith("exit status 1")
        assert "No such file" in told

    def test_a_call_that_takes_too_long(self, worktree: Path) -> None:
        told = self.result(
            worktree, {"argv": ["tail", "-f", "a.txt"], "timeout_ms": 50}, grace_s=0.0
        )
        assert told.startswith("timed out after")
        wait_for_tails(worktree, count=0)

    def test_a_long_output_is_cut_in_the_middle(self, worktree: Path) -> None:
        (worktree / "long.txt").write_text("first\n" + "x" * 200_000 + "\nlast\n")
        told = self.result(worktree, {"argv": ["cat", "long.txt"]})
        assert "bytes left out; the whole of it is in" in told
        assert "first" in told
        assert told.endswith("last")
        assert len(told) < 40_000

    def test_many_runs_at_once_are_not_mixed_up(self, worktree: Path) -> None:
        async def use(tool: ExecTool) -> list[str | Asked]:
            runs = [self.run(tool, {"argv": ["printf", f"n{n}"]}) for n in range(8)]
            return await asyncio.gather(*runs)

        told = with_tool(worktree, use)
        assert [str(each).rpartition("\n")[2] for each in told] == [f"n{n}" for n in range(8)]


class CancellingSuite(AgentSuite):
    """Of those that cancel a run."""

    def test_a_run_that_is_cancelled_leaves_no_process(self, worktree: Path) -> None:
        async def use(tool: ExecTool) -> None:
            running = asyncio.ensure_future(self.run(tool, LONG_TREE))
            await to_thread.run_sync(partial(wait_for_tails, worktree, count=2))
            await self.cancel(running)
            await to_thread.run_sync(partial(wait_for_tails, worktree, count=0))
            assert not isinstance(await self.run(tool, {"argv": ["cat", "a.txt"]}), Asked)

        with_tool(worktree, use, policy="open", grace_s=0.0)

    async def cancel(self, running: asyncio.Future[Any]) -> None:
        """End a run the way of the framework."""
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


class AskingSuite(AgentSuite):
    """Of those that ask people themselves, and store their state meanwhile."""

    @abstractmethod
    async def resume(self, tool: ExecTool, asked: Asked, *, approved: bool) -> str | Asked:
        """Go on, in what may be another process. What `run` returns."""

    def asked(self, worktree: Path, arguments: Arguments) -> Asked:
        """What is asked about a call."""
        asked = with_tool(worktree, lambda tool: self.run(tool, arguments))
        assert isinstance(asked, Asked)
        json.loads(asked.state)
        return asked

    def answered(self, worktree: Path, asked: Asked, *, approved: bool) -> str | Asked:
        """What comes of the answer."""
        return with_tool(worktree, lambda tool: self.resume(tool, asked, approved=approved))

    def test_what_is_approved_runs(self, worktree: Path) -> None:
        asked = self.asked(worktree, {"argv": ["touch", "new"], "justification": "I need it"})
        assert "touch new" in asked.shown
        assert "the model says: I need it" in asked.shown
        assert not (worktree / "new").exists()
        told = self.answered(worktree, asked, approved=True)
        assert str(told).startswith("exit status 0")
        assert (worktree / "new").exists()

    def test_what_is_refused_does_not_run(self, worktree: Path) -> None:
        asked = self.asked(worktree, {"argv": ["touch", "new"]})
        told = self.answered(worktree, asked, approved=False)
        assert isinstance(told, str)
        assert "exit status" not in told
        assert not (worktree / "new").exists()

    def test_what_has_changed_since_it_was_asked_about_does_not_run(self, worktree: Path) -> None:
        script = worktree / "script.sh"
        script.write_text("echo harmless\n")
        asked = self.asked(worktree, {"argv": ["sh", "script.sh"]})
        script.write_text("touch changed\n")
        told = self.answered(worktree, asked, approved=True)
        assert "decide on the call again" in str(told)
        assert not (worktree / "changed").exists()

    def test_an_approval_does_not_lift_what_is_denied(self, worktree: Path) -> None:
        asked = self.asked(worktree, {"argv": ["rm", "a.txt"]})
        told = with_tool(
            worktree,
            lambda tool: self.resume(tool, asked, approved=True),
            policy="read-only",
        )
        assert str(told).startswith("refused")
        assert (worktree / "a.txt").exists()


class ApproverSuite(ABC):
    """Of every framework: here the approver of the tool is asked, in the middle of a call."""

    @abstractmethod
    async def called(self, tool: ExecTool, arguments: Arguments) -> object:
        """Run an agent whose model calls `exec` with `arguments`."""

    def test_an_approval_that_never_comes_can_be_cancelled(self, worktree: Path) -> None:
        async def use(tool: ExecTool) -> None:
            running = asyncio.ensure_future(self.called(tool, {"argv": ["touch", "new"]}))
            await asked.wait()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert (await tool.run(["cat", "a.txt"])).status == 0

        async def approver(_question: Question) -> Answer:
            asked.set()
            await anyio.sleep_forever()
            raise AssertionError

        asked = asyncio.Event()
        with_tool(worktree, use, approver=approver)
        assert not (worktree / "new").exists()


class BackgroundSuite(ABC):
    """Of those that offer the tools for background sessions."""

    @abstractmethod
    def adapter(self, tool: ExecTool, owner: str | None = None) -> Any:
        """What an application makes once, for all runs of its agents."""

    @abstractmethod
    async def sent(self, adapter: Any, name: str, arguments: Arguments) -> str:
        """Run an agent whose model calls one of the tools once; what the model is given back."""

    async def until(self, adapter: Any, handle: str, pattern: str) -> re.Match[str]:
        """What a session writes, as soon as it matches."""
        with anyio.fail_after(PATIENCE_S):
            while True:
                arguments = {"session": handle, "offset": 0, "wait_ms": 200}
                told = await self.sent(adapter, "exec_read", arguments)
                if found := re.search(pattern, told):
                    return found

    async def begun(self, adapter: Any) -> tuple[str, int]:
        """The handle and the pid of a session that answers what is written to it."""
        told = await self.sent(adapter, "exec", _TALKS)
        found = re.search(r"session (\w+) \(running\)", told)
        assert found, told
        return found[1], int((await self.until(adapter, found[1], r"pid (\d+)\n"))[1])

    def test_a_session_is_started_read_written_and_stopped(self, worktree: Path) -> None:
        async def use(tool: ExecTool) -> None:
            adapter = self.adapter(tool)
            handle, pid = await self.begun(adapter)
            wrote = await self.sent(adapter, "exec_write", {"session": handle, "text": "a\n"})
            assert "wrote 2 bytes" in wrote
            await self.until(adapter, handle, "got a\n")
            assert f"{handle}: running" in await self.sent(adapter, "exec_read", {})
            assert is_alive(pid)
            assert "it was stopped" in await self.sent(adapter, "exec_stop", {"session": handle})
            assert not is_alive(pid)

        with_tool(worktree, use, policy="open", grace_s=0.0)

    def test_sessions_are_those_of_their_owner_and_end_with_it(self, worktree: Path) -> None:
        async def use(tool: ExecTool) -> int:
            adapter = self.adapter(tool, "me")
            handle, pid = await self.begun(adapter)
            other, left = await self.begun(self.adapter(tool))
            told = await self.sent(adapter, "exec_read", {"session": other})
            assert f"there is no session '{other}' of yours" in told
            same = self.adapter(tool, "me")
            told = await self.sent(same, "exec_read", {"session": handle, "offset": 0})
            assert f"pid {pid}" in told
            tool.end_sessions("me")
            await to_thread.run_sync(wait_until, lambda: not is_alive(pid))
            assert is_alive(left)
            return left

        left = with_tool(worktree, use, policy="open", grace_s=0.0)
        wait_until(lambda: not is_alive(left))
