"""Sessions that a person is asked about: what they see, and what their answer covers."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest
from sessions import Model, state

from agent_exec import Answer, Ended, ExecTool, Question, Reply, question_text


@pytest.fixture
def worktree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = tmp_path / "worktree"
    folder.mkdir()
    return folder


def test_who_is_asked_sees_that_it_goes_on_and_is_written_to(worktree: Path) -> None:
    asked: list[str] = []

    async def once(question: Question) -> Answer:
        asked.append(question_text(question))
        return Answer(Reply.ONCE)

    async def main() -> None:
        async with ExecTool(worktree, approver=once) as tool:
            model = Model(tool)
            session = await model.start("touch", "a")
            await model.ended(session)
            session = await model.start("bash", "--norc", terminal=True)
            await model.write(session, "echo do''ne\n")
            await model.until(session, "done")
            await model.stop(session)

    anyio.run(main)
    assert (worktree / "a").exists()
    first, second = asked
    assert "in the background, until it ends or is stopped" in first
    assert "with input that the model writes later" in first
    assert "at a terminal, where the model types what it likes" in second


def test_a_no_starts_nothing(worktree: Path) -> None:
    async def no(_: Question) -> Answer:
        return Answer(Reply.NEVER, "use make instead")

    async def main() -> None:
        async with ExecTool(worktree, approver=no) as tool:
            result = await Model(tool).exec("touch", "a")
            assert (result.ended, result.session) == (Ended.REFUSED, None)
            assert "use make instead" in (result.text or "")
            assert not tool.running_sessions

    anyio.run(main)
    assert not (worktree / "a").exists()


def test_what_was_approved_for_good_in_the_foreground_is_asked_about_again(worktree: Path) -> None:
    asked: list[Question] = []

    async def always(question: Question) -> Answer:
        asked.append(question)
        return Answer(Reply.ALWAYS)

    async def main() -> None:
        async with ExecTool(worktree, approver=always) as tool:
            arguments = {"argv": ["touch", "a"]}
            for _ in range(2):
                assert (await tool.call(arguments)).ended is Ended.EXIT
            assert len(asked) == 1
            for _ in range(2):
                result = await tool.call(arguments | {"background": True})
                assert state(result).handle
            # That one, in turn, is remembered: nothing it reads is code.
            assert len(asked) == 2

    anyio.run(main)
