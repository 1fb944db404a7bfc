"""`ExecTool.call`: what a model sends, and what it reads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import anyio
import pytest

from agent_exec import Closed, Ended, ExecTool, ToolResult, Verdict
from agent_exec.runtime.presenting import MODEL_BYTES

SECRET = "sk-0123456789-abcdef"


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    folder = tmp_path / "worktree"
    folder.mkdir()
    (folder / "a.txt").write_text("one\ntwo\n")
    return folder


def call(worktree: Path, arguments: Any, *, backend: str = "asyncio", **options: Any) -> ToolResult:
    async def main() -> ToolResult:
        async with ExecTool(worktree, **{"policy": "workspace", **options}) as tool:
            return await tool.call(arguments)

    return anyio.run(main, backend=backend)


def text(result: ToolResult) -> str:
    assert result.text is not None
    return result.text


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_good_call(worktree: Path, backend: str) -> None:
    result = call(worktree, {"argv": ["cat", "a.txt"]}, backend=backend)
    assert (result.verdict, result.ended, result.status) == (Verdict.ALLOW, Ended.EXIT, 0)
    assert text(result).startswith("exit status 0 after ")
    assert text(result).endswith("\nstdout:\none\ntwo")


def test_a_mistake_is_an_answer(worktree: Path) -> None:
    result = call(worktree, {"argv": ["cat", "a.txt", "|", "wc"]})
    assert (result.ended, result.stages) == (Ended.REFUSED, ())
    assert "send pipeline [['cat', 'a.txt'], ['wc']]" in text(result)
    for arguments in ({}, "{", {"argv": "cat a.txt"}, {"argv": ["no-such-program"]}):
        result = call(worktree, arguments)
        assert result.ended in (Ended.REFUSED, Ended.LAUNCH_FAILED)
        assert text(result).startswith(("refused: ", "not started: "))


def test_what_the_policy_refuses_is_an_answer(worktree: Path) -> None:
    asked = call(worktree, {"argv": ["rm", "a.txt"]}, policy="default")
    assert (asked.verdict, asked.ended) == (Verdict.ASK, Ended.REFUSED)
    assert "rm deletes a.txt" in text(asked)
    denied = call(worktree, {"argv": ["rm", "a.txt"]}, policy="read-only")
    assert denied.verdict is Verdict.DENY
    assert (worktree / "a.txt").exists()


def test_a_directory_outside_is_judged_as_where_it_is(worktree: Path) -> None:
    for cwd, there in (("..", worktree.parent), ("/root", Path("/root"))):
        refused = call(worktree, {"argv": ["ls"], "cwd": cwd}, policy="default")
        assert (refused.verdict, refused.ended) == (Verdict.ASK, Ended.REFUSED)
        assert f"ls reads . ({there}); allowed beneath worktree, system" in text(refused)
    missing = call(worktree, {"argv": ["ls"], "cwd": "gone"}, policy="open")
    assert (missing.ended, "gone" in text(missing)) == (Ended.LAUNCH_FAILED, True)


def test_hints_are_said_with_the_result(worktree: Path) -> None:
    result = call(worktree, {"cmd": "cat a.txt", "timeout": 5})
    assert result.status == 0
    assert result.notices == (
        "cmd was taken for command",
        "timeout was taken for seconds: timeout_ms 5000",
    )
    assert "note: cmd was taken for command" in text(result)


@pytest.mark.parametrize("word", ["*.txt", "~/x", "$HOME/x"])
def test_an_unexpanded_word_runs_verbatim_and_gets_a_hint_where_it_fails(
    worktree: Path, word: str
) -> None:
    result = call(worktree, {"argv": ["cat", word]}, policy="open")
    assert result.status == 1
    assert "no shell expands" in text(result)
    assert "no shell" not in text(call(worktree, {"argv": ["echo", word]}, policy="open"))


def test_a_long_output_is_cut_and_kept(worktree: Path) -> None:
    result = call(worktree, {"argv": ["seq", "1", "20000"]})
    whole = "".join(f"{number}\n" for number in range(1, 20001))
    out = result.stdout
    assert len(out.head) + len(out.tail) == MODEL_BYTES
    assert out.dropped == len(whole) - MODEL_BYTES
    assert (whole.startswith(out.head), whole.endswith(out.tail)) == (True, True)
    assert out.file is not None
    assert Path(out.file).read_text() == whole
    assert os.stat(out.file).st_mode & 0o777 == 0o600
    assert f"[{out.dropped} bytes left out; the whole of it is in {out.file}]" in text(result)
    again = call(worktree, {"argv": ["tail", "-n", "2", out.file]}, policy="read-only")
    assert again.stdout.head == "19999\n20000\n"


@pytest.mark.parametrize(
    ("output", "head", "tail"),
    [
        ({"bytes": 5}, "one", "o\n"),
        ({"keep": "head", "bytes": 5}, "one\nt", ""),
        ({"keep": "tail", "bytes": 5}, "", "\ntwo\n"),
        ({"keep": "tail"}, "", "one\ntwo\n"),
        ({"bytes": 0}, "", ""),
        ({"bytes": 100}, "one\ntwo\n", ""),
    ],
)
def test_how_much_is_the_models_choice(
    worktree: Path, output: dict[str, Any], head: str, tail: str
) -> None:
    result = call(worktree, {"argv": ["cat", "a.txt"], "output": output})
    left_out = len("one\ntwo\n") - len(head) - len(tail)
    assert (result.stdout.head, result.stdout.tail) in ((head, tail), (tail, head))
    assert result.stdout.dropped == left_out
    assert (result.stdout.file is not None) is (left_out > 0)


def test_secrets_are_nowhere_in_a_result(worktree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", SECRET)
    policy = worktree.parent / "policy.yaml"
    policy.write_text("version: 1\nextends: [workspace]\nredact: ['(?i)bearer [a-z0-9]+']\n")
    (worktree / "long").write_text("x" * 40_000 + SECRET + "y" * 40_000)
    said = f"{SECRET} Bearer abc123"
    for arguments in (
        {"argv": ["printf", "%s", said]},
        {"argv": ["sh", "-c", f"echo '{said}' >&2; exit 3"]},
        {"command": f"cat '{said}'"},
        {"argv": [SECRET]},
        {"argv": ["cat", "long"], "output": {"bytes": 80_010}},
        {"argv": ["cat", "long"], "output": {"bytes": 10}},
    ):
        result = call(worktree, arguments, policy=policy, output_bytes=80_016)
        shown = f"{result.to_json()} {result.text}"
        assert SECRET not in shown
        assert SECRET[8:] not in shown
        assert "abc123" not in shown
        for kept in (result.stdout.file, result.stderr.file):
            assert kept is None or SECRET not in Path(kept).read_text()


def test_output_goes_to_a_file_when_that_may_be_written(worktree: Path) -> None:
    for append, content in ((False, "one\ntwo\n"), (True, "one\ntwo\n" * 2)):
        arguments = {"argv": ["cat", "a.txt"], "stdout_file": "b.txt", "append": append}
        result = call(worktree, arguments)
        assert (result.status, result.stdout.head) == (0, "")
        assert (worktree / "b.txt").read_text() == content
    text_call = {"command": "cat a.txt; for i in 1; do echo $i; done", "stdout_file": "c.txt"}
    assert call(worktree, text_call, policy="open").status == 0
    assert (worktree / "c.txt").read_text() == "one\ntwo\n1\n"
    for policy in ("default", "read-only"):
        refused = call(worktree, {"argv": ["cat"], "stdout_file": "d.txt"}, policy=policy)
        assert refused.ended is Ended.REFUSED
        text_too = {"command": "cat a.txt", "stdout_file": "d.txt"}
        assert call(worktree, text_too, policy=policy).ended is Ended.REFUSED
    assert not (worktree / "d.txt").exists()


def test_a_file_outside_is_not_written_through_a_link(worktree: Path) -> None:
    (worktree / "link").symlink_to("/var/lib/no-such-folder/file")
    result = call(worktree, {"argv": ["cat", "a.txt"], "stdout_file": "link"})
    assert result.ended is Ended.REFUSED
    assert "cat writes link" in text(result)


def test_a_file_that_cannot_be_opened_is_said(worktree: Path) -> None:
    arguments = {"argv": ["cat", "a.txt"], "stdout_file": "no/such/folder"}
    result = call(worktree, arguments)
    assert result.ended is Ended.LAUNCH_FAILED
    assert "No such file or directory" in text(result)


def test_many_at_once_are_not_mixed_up(worktree: Path) -> None:
    results: dict[int, str] = {}

    async def main() -> None:
        async with (
            ExecTool(worktree, policy="workspace") as tool,
            anyio.create_task_group() as group,
        ):

            async def one(number: int) -> None:
                result = await tool.call({"argv": ["echo", str(number)]})
                results[number] = result.stdout.head

            for number in range(40):
                group.start_soon(one, number)

    anyio.run(main)
    assert results == {number: f"{number}\n" for number in range(40)}


def test_a_closed_tool_says_so(worktree: Path) -> None:
    async def main() -> None:
        tool = ExecTool(worktree)
        tool.close()
        with pytest.raises(Closed):
            await tool.call({"argv": ["cat", "a.txt"]})

    anyio.run(main)
