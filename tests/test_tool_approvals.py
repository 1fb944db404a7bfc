"""What is asked about, who answers, and what is remembered; with real calls."""

from __future__ import annotations

import io
import json
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from agent_exec import (
    Answer,
    ApprovalRefused,
    Decision,
    Denied,
    Ended,
    ExecTool,
    Question,
    Reply,
    ToolResult,
    Verdict,
)

ONCE = Answer(Reply.ONCE)
ALWAYS = Answer(Reply.ALWAYS)


class Person:
    """Answers in turn, and remembers what was asked."""

    def __init__(self, *answers: Answer, then: Callable[[Question], object] | None = None) -> None:
        self.asked: list[Question] = []
        self._answers = list(answers)
        self._then = then

    async def __call__(self, question: Question) -> Answer:
        self.asked.append(question)
        if self._then is not None:
            self._then(question)
        return self._answers.pop(0)


@pytest.fixture
def worktree(tmp_path: Path) -> Path:
    folder = tmp_path / "worktree"
    folder.mkdir()
    (folder / "a.txt").write_text("one\n")
    (folder / "b.txt").write_text("two\n")
    script = folder / "script.sh"
    script.write_text("#!/bin/sh\necho ran\n")
    script.chmod(0o755)
    return folder


@pytest.fixture(params=["sync", "asyncio", "trio"])
def runner(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def run(worktree: Path, what: list[str] | str, person: Any, runner: str = "asyncio") -> ToolResult:
    """With a tool of its own, so that nothing but the file is remembered."""
    with ExecTool(worktree, approver=person) as tool:
        if runner == "sync":
            return tool.run_shell_sync(what) if isinstance(what, str) else tool.run_sync(what)

        async def main() -> ToolResult:
            return await (tool.run_shell(what) if isinstance(what, str) else tool.run(what))

        return anyio.run(main, backend=runner)


def test_a_person_is_asked_with_all_that_there_is_to_know(worktree: Path, runner: str) -> None:
    person = Person(ONCE)
    result = run(worktree, ["rm", "a.txt"], person, runner)
    assert (result.status, result.verdict) == (0, Verdict.ASK)
    assert not (worktree / "a.txt").exists()
    (question,) = person.asked
    assert question.decision.verdict is Verdict.ASK
    assert question.decision.because == ("rm deletes a.txt",)
    assert [ruling.argv for ruling in question.decision.commands] == [("rm", "a.txt")]
    assert question.cwd == question.worktree == str(worktree)
    assert question.remembers[:2] == ("exactly this call: rm a.txt", f"in {worktree}")
    assert question.remembers[2].endswith("/rm as it is now")
    assert [offer.words for offer in question.wider] == [("rm",)]
    assert Question.from_json(json.loads(json.dumps(question.to_json()))).to_json() == (
        question.to_json()
    )


def test_what_is_allowed_or_denied_is_not_asked(worktree: Path) -> None:
    person = Person()
    assert run(worktree, ["cat", "a.txt"], person).status == 0
    with ExecTool(worktree, policy="read-only", approver=person) as tool, pytest.raises(Denied):
        tool.run_sync(["rm", "a.txt"])
    assert person.asked == []


def test_no_is_no_and_the_model_hears_why(worktree: Path, runner: str) -> None:
    with pytest.raises(ApprovalRefused, match="use git rm"):
        run(worktree, ["rm", "a.txt"], Person(Answer(Reply.NEVER, "use git rm")), runner)
    assert (worktree / "a.txt").exists()


@pytest.mark.parametrize("said", [None, True, "once", Reply.ONCE])
def test_what_is_no_answer_is_no(worktree: Path, said: object, runner: str) -> None:
    with pytest.raises(Denied, match="no answer came"):
        run(worktree, ["rm", "a.txt"], lambda _: said, runner)
    assert (worktree / "a.txt").exists()


def test_an_approver_that_fails_is_no(worktree: Path, runner: str) -> None:
    def fails(_: Question) -> Answer:
        raise OSError("the window was closed")

    with pytest.raises(Denied, match="the window was closed"):
        run(worktree, ["rm", "a.txt"], fails, runner)
    assert (worktree / "a.txt").exists()


def test_nobody_is_no(worktree: Path, runner: str) -> None:
    with pytest.raises(Denied, match=r"nobody is there: rm deletes a\.txt"):
        run(worktree, ["rm", "a.txt"], None, runner)


def test_a_plain_callable_does_not_hold_up_the_loop(worktree: Path) -> None:
    threads = []

    def plain(_: Question) -> Answer:
        threads.append(threading.get_ident())
        return ONCE

    assert run(worktree, ["rm", "a.txt"], plain).status == 0
    assert threads != [threading.get_ident()]
    assert run(worktree, ["rm", "b.txt"], plain, "sync").status == 0
    assert threads[1:] == [threading.get_ident()]


def test_a_cancelled_question_runs_nothing(worktree: Path) -> None:
    async def waits(_: Question) -> Answer:
        await anyio.sleep_forever()
        raise AssertionError

    async def main() -> None:
        async with ExecTool(worktree, approver=waits) as tool:
            with anyio.move_on_after(0.05) as scope:
                await tool.run(["rm", "a.txt"])
            assert scope.cancelled_caught

    anyio.run(main)
    assert (worktree / "a.txt").exists()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_what_is_cancelled_while_it_is_answered_does_not_begin(
    worktree: Path, backend: str
) -> None:
    async def main() -> None:
        with anyio.CancelScope() as scope:

            async def cancels(_: Question) -> Answer:
                scope.cancel()
                return ONCE

            async with ExecTool(worktree, approver=cancels) as tool:
                begun = tool.templates
                try:
                    await tool.run(["touch", "new"])
                finally:
                    assert tool.templates == begun

    anyio.run(main, backend=backend)
    assert not (worktree / "new").exists()


def test_once_is_once(worktree: Path) -> None:
    person = Person(ONCE, ONCE)
    run(worktree, ["touch", "c"], person)
    run(worktree, ["touch", "c"], person)
    assert len(person.asked) == 2


def test_always_is_exactly_that(worktree: Path, runner: str) -> None:
    assert run(worktree, ["touch", "c"], Person(ALWAYS), runner).status == 0
    assert run(worktree, ["touch", "c"], None, runner).status == 0
    for other in (["touch", "d"], ["touch", "c", "d"], ["touch", "-r", "a.txt", "c"]):
        with pytest.raises(Denied):
            run(worktree, other, None, runner)
    elsewhere = worktree / "sub"
    elsewhere.mkdir()
    with ExecTool(worktree) as tool, pytest.raises(Denied):
        tool.run_sync(["touch", "c"], cwd="sub")
    with ExecTool(elsewhere) as tool, pytest.raises(Denied):
        tool.run_sync(["touch", "c"])
    with ExecTool(worktree) as tool, pytest.raises(Denied):
        tool.run_sync(["touch", "c"], env={"CI": "1"})
    with ExecTool(worktree) as tool, pytest.raises(Denied):
        tool.run_sync(["touch", "c"], stdin="x")


def test_always_does_not_lift_what_the_policy_denies(worktree: Path) -> None:
    run(worktree, ["touch", "c"], Person(ALWAYS))
    with ExecTool(worktree, policy="read-only") as tool, pytest.raises(Denied):
        tool.run_sync(["touch", "c"])


def test_always_ends_when_the_code_changes(worktree: Path, runner: str) -> None:
    assert run(worktree, ["./script.sh"], Person(ALWAYS), runner).stdout.head == "ran\n"
    assert run(worktree, ["./script.sh"], None, runner).stdout.head == "ran\n"
    (worktree / "script.sh").write_text("#!/bin/sh\necho other\n")
    person = Person(ONCE)
    assert run(worktree, ["./script.sh"], person, runner).stdout.head == "other\n"
    assert len(person.asked) == 1


@pytest.mark.parametrize(
    ("argv", "file"),
    [(["sh", "run.sh"], "run.sh"), (["python3", "run.py"], "run.py"), (["make"], "Makefile")],
)
def test_always_ends_when_what_an_interpreter_reads_changes(
    worktree: Path, argv: list[str], file: str
) -> None:
    (worktree / file).write_text("")
    run(worktree, argv, Person(ALWAYS))
    run(worktree, argv, None)
    (worktree / file).write_text("# other\n")
    with pytest.raises(Denied):
        run(worktree, argv, None)


def test_what_changes_while_somebody_thinks_is_asked_about_again(
    worktree: Path, runner: str
) -> None:
    contents = iter(["#!/bin/sh\necho evil\n"])

    def replace(_: Question) -> None:
        for content in contents:
            (worktree / "script.sh").write_text(content)

    person = Person(ONCE, Answer(Reply.NEVER), then=replace)
    with pytest.raises(ApprovalRefused):
        run(worktree, ["./script.sh"], person, runner)
    assert len(person.asked) == 2


def test_what_changes_with_every_question_is_refused(worktree: Path) -> None:
    def append(_: Question) -> None:
        with (worktree / "script.sh").open("a") as file:
            file.write("#\n")

    person = Person(ONCE, ONCE, ONCE, ONCE, then=append)
    with pytest.raises(Denied, match="changes while it is asked about"):
        run(worktree, ["./script.sh"], person)
    assert len(person.asked) == 3


def test_a_link_that_appears_while_somebody_thinks_is_seen(worktree: Path) -> None:
    def link(_: Question) -> None:
        if not (worktree / "c").is_symlink():
            (worktree / "c").symlink_to("/var/lib/no-such-folder/file")

    person = Person(ONCE, Answer(Reply.NEVER), then=link)
    with pytest.raises(ApprovalRefused):
        run(worktree, ["touch", "c"], person)
    assert len(person.asked) == 2


def test_a_wider_pattern_covers_no_more_than_was_approved(worktree: Path) -> None:
    wider = Answer(Reply.WIDER, pattern=("touch",))
    assert run(worktree, ["touch", "c"], Person(wider)).status == 0
    assert run(worktree, ["touch", "d", "e"], None).status == 0
    assert run(worktree, "touch f && cat a.txt", None).status == 0
    for other in (
        ["touch", "/var/lib/no-such-folder/c"],
        ["touch", "--no-such-option", "c"],
        ["rm", "c"],
        "touch g > h; rm g",
        "for i in 1; do touch $i; done",
    ):
        with pytest.raises(Denied):
            run(worktree, other, None)


def test_no_pattern_is_offered_for_code_that_has_no_name(worktree: Path) -> None:
    run(worktree, ["git", "init", "-q"], Person(ONCE))
    person = Person(Answer(Reply.WIDER, pattern=("git", "fetch")))
    result = run(worktree, ["git", "fetch", "origin"], person)
    assert person.asked[0].wider == ()
    assert "that pattern was not offered" in result.notices[0]
    with pytest.raises(Denied):
        run(worktree, ["git", "fetch", "--upload-pack=touch pwned", "origin"], None)
    assert not (worktree / "pwned").exists()


@pytest.mark.parametrize(
    "what",
    [
        ["env", "--no-such-option", "touch", "c"],
        ["touch", "--no-such-option", "c"],
        "for i in 1; do touch $i; done",
    ],
)
def test_what_is_not_understood_is_not_remembered(worktree: Path, what: list[str] | str) -> None:
    for answer in (ALWAYS, Answer(Reply.WIDER, pattern=("touch",))):
        person = Person(answer)
        result = run(worktree, what, person)
        assert (person.asked[0].remembers, person.asked[0].wider) == ((), ())
        assert "it was approved once" in result.notices[0]
    with pytest.raises(Denied):
        run(worktree, what, None)


def test_globs_of_what_was_approved_run(worktree: Path, runner: str) -> None:
    (worktree / "link.txt").symlink_to("/etc/hostname")
    result = run(worktree, "rm *.txt", Person(ONCE), runner)
    assert (result.status, result.error) == (0, None)
    assert list(worktree.glob("*.txt")) == []


def test_globs_do_not_follow_a_link_out_that_the_text_has_made(worktree: Path) -> None:
    text = "ln -s /var/lib/no-such-folder d.txt && touch *.txt"
    result = run(worktree, text, Person(ONCE))
    assert result.error is not None
    assert "what it has become is not allowed" in result.error


@pytest.mark.parametrize("name", ["d", "{}/d", "/{}/d", "e/../f"])
def test_redirections_do_not_follow_a_link_out_that_the_text_has_made(
    worktree: Path, name: str
) -> None:
    (worktree / "links.tar").write_bytes(_links({"d": "/var/lib/no-such-file", "e": "/var/lib"}))
    text = f"tar xf links.tar && echo a > {name.format(worktree)}"
    result = run(worktree, text, Person(ONCE))
    assert result.error is not None
    assert "what it has become is not allowed: echo writes" in result.error


def test_cd_by_a_link_that_the_text_has_made_has_what_follows_judged_again(
    worktree: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    (outside / "dir").mkdir(parents=True)
    (outside / "private").mkdir()
    (outside / "private" / "a").write_text("private\n")
    (worktree / "links.tar").write_bytes(_links({"d": str(outside / "dir")}))
    for last in ("cat a", "cat <a", "echo b >b", "[ -e a ] && cat <&0"):
        result = run(worktree, f"tar xf links.tar && cd d/../private && {last}", Person(ONCE))
        assert result.error is not None
        assert "what it has become is not allowed" in result.error
    assert result.stdout.head == ""


def _links(targets: dict[str, str]) -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w") as archive:
        for name, target in targets.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
    return written.getvalue()


# The two halves.


def halves(worktree: Path, call: Any, answer: Answer | None, between: Any = None) -> ToolResult:
    async def decide() -> str:
        async with ExecTool(worktree) as tool:
            return json.dumps((await tool.decide(call)).to_json())

    async def resume(text: str) -> ToolResult:
        async with ExecTool(worktree) as tool:
            return await tool.run_decided(Decision.from_json(json.loads(text)), answer)

    stored = anyio.run(decide)
    if between is not None:
        between()
    return anyio.run(resume, stored)


def test_a_decision_is_stored_and_run_later(worktree: Path) -> None:
    result = halves(worktree, {"argv": ["rm", "a.txt"]}, ONCE)
    assert (result.status, result.verdict) == (0, Verdict.ASK)
    assert not (worktree / "a.txt").exists()
    allowed = halves(worktree, {"argv": ["cat", "b.txt"]}, None)
    assert allowed.stdout.head == "two\n"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (None, "nobody is there"),
        (Answer(Reply.NEVER, "not now"), "not now"),
    ],
)
def test_a_stored_decision_without_a_yes_does_not_run(
    worktree: Path, answer: Answer | None, error: str
) -> None:
    result = halves(worktree, {"argv": ["rm", "a.txt"]}, answer)
    assert result.ended is Ended.REFUSED
    assert error in (result.text or "")
    assert (worktree / "a.txt").exists()


def test_a_denied_decision_does_not_run_whatever_is_answered(worktree: Path) -> None:
    result = halves(worktree, {"argv": "rm a.txt"}, ONCE)
    assert result.ended is Ended.REFUSED
    assert (worktree / "a.txt").exists()


def test_a_stored_decision_on_files_that_have_changed_does_not_run(worktree: Path) -> None:
    def change() -> None:
        (worktree / "script.sh").write_text("#!/bin/sh\necho evil\n")

    result = halves(worktree, {"argv": ["./script.sh"]}, ONCE, change)
    assert result.ended is Ended.REFUSED
    assert "no longer what was decided on" in (result.text or "")


@pytest.mark.parametrize("key", ["verdict", "call", "commands", "seal"])
def test_a_decision_that_was_tampered_with_does_not_run(worktree: Path, key: str) -> None:
    async def main() -> ToolResult:
        async with ExecTool(worktree) as tool:
            shown = (await tool.decide({"argv": ["rm", "a.txt"]})).to_json()
            other = (await tool.decide({"argv": ["cat", "a.txt"]})).to_json()
            return await tool.run_decided(Decision.from_json({**other, key: shown[key]}), ONCE)

    result = anyio.run(main)
    assert result.ended is Ended.REFUSED
    assert (worktree / "a.txt").exists()


def test_a_question_of_a_stored_decision_is_that_of_a_call(worktree: Path) -> None:
    person = Person(ONCE)

    async def main() -> Question:
        async with ExecTool(worktree, approver=person) as tool:
            decision = await tool.decide({"argv": ["rm", "a.txt"], "justification": "old"})
            question = tool.question(Decision.from_json(decision.to_json()))
            await tool.call({"argv": ["rm", "a.txt"], "justification": "old"})
            return question

    question = anyio.run(main)
    assert question._replace(id="") == person.asked[0]._replace(id="")
    assert question.decision.call is not None
    assert question.decision.call.justification == "old"
