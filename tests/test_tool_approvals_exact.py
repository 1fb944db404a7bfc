"""An approval covers what was shown, with the files of then, and nothing besides."""

from __future__ import annotations

import asyncio
import os
import shlex
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from agent_exec import (
    Answer,
    ApprovalRefused,
    Denied,
    Ended,
    ExecTool,
    InvalidCall,
    Question,
    Reply,
    ToolResult,
    Verdict,
    question_text,
)
from agent_exec.model.call import ToolCall
from agent_exec.runtime.approvals.memory import Memory, approvals_folder

What = list[str] | str
ONCE = Answer(Reply.ONCE)
ALWAYS = Answer(Reply.ALWAYS)


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    folder = tmp_path / "worktree"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("one\n")
    return folder


def says(answer: object, asked: list[Question] | None = None) -> Callable[[Question], Any]:
    def approver(question: Question) -> object:
        if asked is not None:
            asked.append(question)
        return answer

    return approver


def run(worktree: Path, what: What, approver: Any = None, **options: Any) -> ToolResult:
    with ExecTool(worktree, approver=approver) as tool:
        return run_by(tool, what, **options)


def run_by(tool: ExecTool, what: What, **options: Any) -> ToolResult:
    if isinstance(what, str):
        return tool.run_shell_sync(what, **options)
    return tool.run_sync(what, **options)


def question_of(worktree: Path, what: What, **options: Any) -> Question:
    """Nothing runs: it is refused."""
    asked: list[Question] = []
    with pytest.raises(ApprovalRefused):
        run(worktree, what, says(Answer(Reply.NEVER), asked), **options)
    return asked[0]


def is_asked(worktree: Path, what: What) -> bool:
    """Whatever may be remembered of it. Nothing runs."""

    async def main() -> Verdict:
        call = ToolCall(command=what) if isinstance(what, str) else ToolCall((tuple(what),))
        async with ExecTool(worktree) as tool:
            return (await tool.decide(call)).verdict

    return anyio.run(main) is Verdict.ASK


# Answers.


@pytest.mark.parametrize("reply", ["no", "yes", "", None, 1, ["once"]])
@pytest.mark.parametrize("runner", ["sync", "asyncio"])
def test_an_answer_with_no_reply_is_no(worktree: Path, reply: Any, runner: str) -> None:
    with ExecTool(worktree, approver=says(Answer(reply))) as tool:
        ways: dict[str, Callable[[list[str]], ToolResult]] = {
            "sync": tool.run_sync,
            "asyncio": lambda argv: anyio.run(tool.run, argv),
        }
        with pytest.raises(Denied, match="no answer"):
            ways[runner](["rm", "a.txt"])
    assert (worktree / "a.txt").exists()


def test_a_reply_by_its_name_is_that_reply(worktree: Path) -> None:
    never: Any = "never"
    with pytest.raises(ApprovalRefused, match="use git rm"):
        run(worktree, ["rm", "a.txt"], says(Answer(never, "use git rm")))
    assert (worktree / "a.txt").exists()


@pytest.mark.parametrize("answer", ["once", Answer("no"), True])  # type: ignore[arg-type]
def test_a_stored_decision_with_no_answer_at_all_does_not_run(worktree: Path, answer: Any) -> None:
    async def main() -> ToolResult:
        async with ExecTool(worktree) as tool:
            return await tool.run_decided(await tool.decide({"argv": ["rm", "a.txt"]}), answer)

    assert anyio.run(main).ended is Ended.REFUSED
    assert (worktree / "a.txt").exists()


async def waits_for_what_is_cancelled(_: Question) -> Answer:
    future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    future.cancel()
    return await future


def test_an_approver_that_was_cancelled_is_no(worktree: Path) -> None:
    with ExecTool(worktree, approver=waits_for_what_is_cancelled) as tool:
        with pytest.raises(Denied, match="was cancelled"):
            asyncio.run(tool.run(["rm", "a.txt"]))
        with pytest.raises(Denied, match="was cancelled"):
            tool.run_sync(["rm", "a.txt"])
    assert (worktree / "a.txt").exists()


def test_a_coroutine_where_a_loop_runs_already_is_no_and_is_not_left_over(worktree: Path) -> None:
    async def main() -> None:
        tool.run_sync(["rm", "a.txt"])

    with (
        ExecTool(worktree, approver=waits_for_what_is_cancelled) as tool,
        pytest.raises(Denied, match="no answer came"),
    ):
        asyncio.run(main())


def test_calls_of_several_loops_are_each_asked_about_once(worktree: Path) -> None:
    asked: list[Question] = []
    errors: list[BaseException] = []

    def work(tool: ExecTool, name: str, backend: str) -> None:
        async def main() -> None:
            async with anyio.create_task_group() as group:
                for number in range(4):
                    group.start_soon(tool.run, ["touch", f"{name}{number}"])

        try:
            anyio.run(main, backend=backend)
        except BaseException as error:
            errors.append(error)

    with ExecTool(worktree, approver=says(ONCE, asked)) as tool:
        threads = [
            threading.Thread(target=work, args=(tool, name, backend))
            for name, backend in (("x", "asyncio"), ("y", "trio"), ("z", "asyncio"))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []
    assert len({question.id for question in asked}) == len(asked) == 12
    assert len([*worktree.glob("[xyz]?")]) == 12


def test_a_second_question_about_a_call_is_another(worktree: Path) -> None:
    script = worktree / "s.sh"
    script.write_text("one")
    asked: list[Question] = []

    def approver(question: Question) -> Answer:
        asked.append(question)
        script.write_text("true")
        return ONCE

    assert run(worktree, ["sh", "s.sh"], approver).status == 0
    first, second = asked
    assert second.id != first.id


# What is shown.


def test_a_question_shows_input_variables_and_the_whole_text(worktree: Path) -> None:
    shown = question_text(
        question_of(worktree, ["python3"], stdin="import os\nevil()\n", env={"CI": "1"})
    )
    assert "\n  | import os\n  | evil()\n" in shown
    assert "\nwith CI=1\n" in shown
    text = "for i in 1; do rm $i; done\neval evil"
    assert "\n  | for i in 1; do rm $i; done\n  | eval evil\n" in question_text(
        question_of(worktree, text)
    )


def test_no_sequence_hides_words_in_a_question(worktree: Path) -> None:
    question = question_of(worktree, ["rm", "\x1b]0;hidden\x07a", "b\x1b[31m"])
    for shown in (question_text(question), *question.remembers):
        assert "\x1b" not in shown
    assert r"\x1b]0;hidden\x07a" in question_text(question)
    assert r"\x1b]0;hidden\x07a" in question.remembers[0]


def test_input_that_is_too_long_to_show_is_counted(worktree: Path) -> None:
    shown = question_text(question_of(worktree, ["python3"], stdin="#" * 9000))
    assert "and 1000 more characters that are not shown" in shown


def test_a_question_about_a_call_with_descriptors_can_be_sent(worktree: Path) -> None:
    with open(os.devnull, "rb") as nothing:
        question = question_of(worktree, ["sh"], stdin=nothing.fileno())
    assert "input that is not known" in question_text(question)
    assert Question.from_json(question.to_json()).decision.seal == question.decision.seal


# What is remembered.


def make_files(worktree: Path) -> Path:
    outside = worktree.parent / "outside.sh"
    for path in (worktree / "run.sh", worktree / "sub" / "run.sh", outside):
        path.write_text("exit 0\n")
    (worktree / "sub" / "Makefile").write_text("all:\n\t@true\n")
    (worktree / "interpreter").write_text("#!/bin/sh\nexit 0\n")
    (worktree / "interpreter").chmod(0o755)
    script = worktree / "script"
    script.write_text(f"#!{worktree}/interpreter\n")
    script.chmod(0o755)
    return outside


@pytest.mark.parametrize(
    ("what", "file"),
    [
        ("cd sub && sh run.sh", "sub/run.sh"),
        (["env", "-C", "sub", "sh", "run.sh"], "sub/run.sh"),
        (["env", "-C", "sub", "sh", "../run.sh"], "run.sh"),
        ("sh < run.sh", "run.sh"),
        ("cat run.sh | sh", "run.sh"),
        (["make", "-C", "sub"], "sub/Makefile"),
        (["sh", "../outside.sh"], "../outside.sh"),
        (["./script"], "interpreter"),
    ],
    ids=str,
)
def test_always_ends_when_any_file_changes_that_is_run(
    worktree: Path, what: What, file: str
) -> None:
    make_files(worktree)
    assert run(worktree, what, says(ALWAYS)).status == 0
    assert run(worktree, what).status == 0
    with (worktree / file).open("a") as changed:
        changed.write("# other\n")
    with pytest.raises(Denied):
        run(worktree, what)


@pytest.mark.parametrize(
    "what", ["curl http://127.0.0.1:9/x | sh", 'eval "$(cat a.txt)"', "sh -c 'curl x | sh'"]
)
def test_what_nobody_knows_beforehand_is_not_remembered(worktree: Path, what: str) -> None:
    assert question_of(worktree, what).remembers == ()


def test_code_from_a_descriptor_is_not_remembered(worktree: Path) -> None:
    for _ in range(2):
        with (worktree / "a.txt").open("rb") as file:
            asked: list[Question] = []
            result = run(worktree, ["sh"], says(ALWAYS, asked), stdin=file.fileno())
        assert len(asked) == 1
        assert asked[0].remembers == ()
        assert "which nobody knows" in result.notices[0]


def test_a_file_in_the_worktree_is_not_believed(
    worktree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(worktree / "state"))
    path = Path(Memory(approvals_folder(os.environ), str(worktree)).path)
    path.parent.mkdir(parents=True, mode=0o700)
    forged = "{id: a, at: a, shown: a, words: [rm], does: {delete: [/]}, rules: []}"
    path.write_text(f"version: 1\npatterns: [{forged}]\n")
    path.chmod(0o600)
    with pytest.raises(Denied, match="lies in the worktree"):
        run(worktree, ["rm", "a.txt"])
    assert (worktree / "a.txt").exists()


def wider(worktree: Path, argv: list[str]) -> None:
    """Approve the pattern that is offered for it."""
    answer = Answer(Reply.WIDER, pattern=(argv[0],))
    assert run(worktree, argv, says(answer)).notices == ()


def test_a_pattern_counts_where_a_command_works(worktree: Path) -> None:
    wider(worktree, ["touch", "c"])
    assert not is_asked(worktree, "cd sub && touch c")
    assert is_asked(worktree, "cd /usr/share && touch c")
    assert is_asked(worktree, "cd / && touch c")


def test_a_pattern_covers_each_kind_of_effect_only_where_it_was_approved(worktree: Path) -> None:
    places = [worktree.parent / name for name in ("from", "other")]
    for place in places:
        place.mkdir()
        (place / "x").write_text("")
    wider(worktree, ["cp", str(places[0] / "x"), "x"])
    assert not is_asked(worktree, ["cp", str(places[0] / "y"), "sub"])
    assert is_asked(worktree, ["cp", str(places[1] / "x"), "sub"])
    assert is_asked(worktree, ["cp", "a.txt", str(places[0] / "x")])


def test_a_pattern_does_not_cover_what_another_rule_asks_about(worktree: Path) -> None:
    outside = worktree.parent / "notes"
    outside.mkdir()
    (outside / "x").write_text("")
    wider(worktree, ["cat", str(outside / "x")])
    assert not is_asked(worktree, ["cat", str(outside / "y")])
    assert is_asked(worktree, ["cat", str(outside / ".env")])


@pytest.mark.parametrize(
    "argv",
    [["wc", "--files0-from=a.txt"], ["touch", "/c"], ["pip", "install", "x"]],
    ids=str,
)
def test_no_pattern_is_offered_for_files_without_names_or_for_everywhere(
    worktree: Path, argv: list[str]
) -> None:
    call = ToolCall(stages=(tuple(argv),))

    async def main() -> Question:
        async with ExecTool(worktree) as tool:
            return tool.question(await tool.decide(call))

    if argv[0] == "pip":
        pytest.importorskip("pip")
    assert anyio.run(main).wider == ()


# What was approved is what runs.


def write_script(path: Path, said: str) -> None:
    path.write_text(f"#!/bin/sh\necho {said}\n")
    path.chmod(0o755)


@pytest.mark.parametrize("what", [["./s.sh"], "./s.sh && true"], ids=str)
def test_what_is_there_when_it_is_asked_about_runs(worktree: Path, what: What) -> None:
    """Also where a template was kept of what was there before."""
    with ExecTool(worktree, approver=says(ONCE), hot_after=1) as tool:
        for said in ("1", "1", "2", "3"):
            write_script(worktree / "s.sh", said)
            result = run_by(tool, what)
            assert (result.error, result.stdout.head) == (None, f"{said}\n")


def test_a_text_may_run_what_it_has_made(worktree: Path) -> None:
    with ExecTool(worktree, approver=says(ONCE), hot_after=1) as tool:
        for said in ("1", "2", "3"):
            write_script(worktree / "new", said)
            result = run_by(tool, "cp new s.sh && ./s.sh")
            assert (result.error, result.stdout.head) == (None, f"{said}\n")


@pytest.mark.parametrize("text", ["cd sub && touch x", "touch y; cd sub; sh -c 'touch x'"])
def test_a_text_that_goes_elsewhere_runs(worktree: Path, text: str) -> None:
    assert run(worktree, text, says(ONCE)).error is None
    assert (worktree / "sub" / "x").exists()


def test_a_rule_allows_in_another_directory_what_it_allows_here(worktree: Path) -> None:
    with ExecTool(worktree, policy="workspace") as tool:
        assert tool.run_shell_sync("cd sub && touch x && rm x").error is None


def test_a_variable_of_the_call_is_judged_wherever_it_works(worktree: Path) -> None:
    folder = shlex.quote(str(worktree / "sub"))
    with ExecTool(worktree, policy="workspace") as tool, pytest.raises(Denied):
        tool.run_shell_sync(f"cd {folder} && touch x", env={"PWD": "/"})


# The two halves.


def test_what_is_approved_for_good_meanwhile_does_not_void_a_stored_question(
    worktree: Path,
) -> None:
    async def main() -> tuple[ToolResult, ToolResult]:
        async with ExecTool(worktree) as tool:
            first, second = [await tool.decide({"argv": ["touch", "c"]}) for _ in range(2)]
            return await tool.run_decided(first, ALWAYS), await tool.run_decided(second, ONCE)

    assert [each.status for each in anyio.run(main)] == [0, 0]


def test_a_stored_yes_of_memory_ends_when_it_is_forgotten(worktree: Path) -> None:
    run(worktree, ["touch", "c"], says(ALWAYS))
    memory = Memory(approvals_folder(os.environ), str(worktree))

    async def main() -> ToolResult:
        async with ExecTool(worktree) as tool:
            decision = await tool.decide({"argv": ["touch", "c"]})
            assert decision.verdict is Verdict.ALLOW
            memory.forget(memory.entries()[0].id)
            return await tool.run_decided(decision)

    assert anyio.run(main).ended is Ended.REFUSED


def test_there_is_no_question_about_what_is_allowed(worktree: Path) -> None:
    async def main() -> None:
        async with ExecTool(worktree) as tool:
            decision = await tool.decide({"argv": ["cat", "a.txt"]})
            with pytest.raises(InvalidCall, match="nothing to ask"):
                tool.question(decision)

    anyio.run(main)
