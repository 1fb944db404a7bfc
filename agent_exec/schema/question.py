"""A question as a person reads it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from agent_exec.model.call import ToolCall
from agent_exec.model.decision import Decision
from agent_exec.model.question import Question
from agent_exec.schema.harmless import escaped

_MOST_CHARACTERS = 8000
"""Of one text. What is left out is counted, for nobody should say yes without knowing of it."""


def question_text(question: Question) -> str:
    """Commands, effects, reasons, directory, variables and input, as no terminal obeys them.

    Nothing of the call's own words is left out or invisible. The model's justification stands
    there as what it is: its own word.
    """
    decision, call = question.decision, question.decision.call
    lines = _commands(decision)
    if call is not None:
        lines += _given(call, decision)
    lines += [f"because {escaped(reason)}" for reason in decision.because]
    lines.append(f"in {escaped(question.cwd)}")
    if call is not None and call.justification:
        lines.append(f"the model says: {escaped(call.justification)}")
    return "\n".join(lines)


def _commands(decision: Decision) -> list[str]:
    lines = []
    for ruling in decision.commands:
        indent = "" if ruling.of is None else "  "
        lines.append(f"{indent}{escaped(shlex.join(ruling.argv))}")
        for effect in ruling.effects:
            if effect.argv is None:
                where = "" if effect.path is None else f" {escaped(effect.path)}"
                lines.append(f"{indent}  {effect.kind.value}{where}")
    return lines


def _given(call: ToolCall, decision: Decision) -> Iterator[str]:
    """What the commands do not say; and the text that they were found in."""
    if call.command is not None:
        yield from _text("the text", call.command)
    elif call.stages != tuple([each.argv for each in decision.commands if each.of is None]):
        yield f"the call: {escaped(' | '.join(map(shlex.join, call.stages)))}"
    for name, value in (call.env or {}).items():
        yield f"with {escaped(f'{name}={value}')}"
    if call.background:
        yield "in the background, until it ends or is stopped"
    if call.terminal:
        yield "at a terminal, where the model types what it likes"
    elif call.background and call.stdin is None:
        yield "with input that the model writes later"
    if isinstance(call.stdin, int):
        yield "with input that is not known here"
    elif call.stdin is not None:
        stdin = call.stdin
        text = stdin.decode("utf-8", "surrogateescape") if isinstance(stdin, bytes) else stdin
        yield from _text("the input", text)


def _text(name: str, text: str) -> Iterator[str]:
    """Line by line, marked, so that none of them can be taken for one of ours."""
    yield f"{name}:"
    shown = text[:_MOST_CHARACTERS]
    yield from (f"  | {escaped(line)}" for line in shown.split("\n"))
    if len(shown) < len(text):
        yield f"  and {len(text) - len(shown)} more characters that are not shown"
