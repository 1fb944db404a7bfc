"""A model's call under a framework that asks people itself: run, or a question for it to store."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from agent_exec import Answer, ExecTool, Question, Reply, ToolResult, question_text

ONCE = Answer(Reply.ONCE)
NOT_ASKED = "refused: nobody was asked about this as it would run now; send it again"
_MOST_WAITING = 1024


async def call_or_ask(
    tool: ExecTool, arguments: Mapping[str, Any] | str, *, name: str = "exec", owner: str = ""
) -> ToolResult | Question:
    """Run what a model has sent; where the policy asks, nothing runs, and the question is returned.

    Args:
        tool: Whose approver is not asked.
        arguments: An object, or the JSON text of one.
        name: Of the tool that the model has called.
        owner: Whose background sessions it may start and use.

    Raises:
        Closed: The tool was closed.
    """
    try:
        return await tool.call(arguments, name=name, approver=_ask_elsewhere, owner=owner)
    except AskedElsewhere as asked:
        return asked.question


async def run_answered(
    tool: ExecTool,
    arguments: Mapping[str, Any] | str,
    question: Question | None,
    answer: Answer = ONCE,
    *,
    name: str = "exec",
    owner: str = "",
) -> ToolResult | Question:
    """Run what was asked about, as `ExecTool.run_decided` does.

    Args:
        tool: Of the same worktree and policy as the one that asked.
        arguments: Of the call that was answered.
        question: What the person was asked, as far as that is known.
        answer: What they said.
        name: Of the tool that the model has called; the policy asks about `exec` alone.
        owner: Whose background sessions it may start and use.

    Returns:
        ToolResult | Question: A question, where these are other arguments than those that were
        asked about (a person may have changed them), and the policy asks about these.
    """
    if question is not None and name == "exec":
        decision = question.decision
        if (await tool.decide(arguments)).call == decision.call:
            return await tool.run_decided(decision, answer, owner=owner)
    return await call_or_ask(tool, arguments, name=name, owner=owner)


class AskedElsewhere(BaseException):
    """Ends a call, as a cancellation does: its answer comes from somewhere else, and later."""

    def __init__(self, question: Question) -> None:
        super().__init__(question.id)
        self.question = question


async def _ask_elsewhere(question: Question) -> NoReturn:
    raise AskedElsewhere(question)


def stored(question: Question) -> dict[str, Any]:
    """What a framework keeps while a person thinks: ``text`` is for them. It is JSON."""
    return {"text": question_text(question), "question": question.to_json()}


def restored(kept: object) -> tuple[Question | None, Answer]:
    """The question of what `stored` has made, and the ``answer`` that was added to it.

    None where there is no question in it; the answer is once, where none was added.
    """
    if not isinstance(kept, Mapping):
        return None, ONCE
    try:
        answer = Answer.from_json(kept["answer"]) if "answer" in kept else ONCE
        return Question.from_json(kept["question"]), answer
    except (KeyError, TypeError, ValueError, AttributeError):
        return None, ONCE


def is_of(name: str, id_: str) -> bool:
    """Whether `name` is the id of that call, or of one of its parts."""
    return name == id_ or name.startswith(f"{id_}.")


class Waiting:
    """Questions that wait for an answer in this process, by the id of their call.

    For hosts that do not hand back what they were given to store. The oldest go first.
    """

    def __init__(self) -> None:
        self._questions: dict[str, Question] = {}

    def keep(self, id_: str, question: Question) -> None:
        """Until it is taken."""
        while len(self._questions) >= _MOST_WAITING:
            del self._questions[next(iter(self._questions))]
        self._questions[id_] = question

    def find(self, id_: str) -> list[Question]:
        """Those of that call, which go on waiting; of its parts, whose ids are ``id.number``."""
        return [each for name, each in self._questions.items() if is_of(name, id_)]

    def take(self, id_: str) -> Question | None:
        """The one of that call, which waits no longer."""
        return self._questions.pop(id_, None)
