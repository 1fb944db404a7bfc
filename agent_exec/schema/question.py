"""A question as a person reads it."""

from __future__ import annotations

import shlex

from agent_exec.model.decision import Decision
from agent_exec.model.question import Question
from agent_exec.schema.harmless import one_line


def question_text(question: Question) -> str:
    """Commands, effects, reasons and directory, in lines that no terminal obeys.

    The model's justification stands there as what it is: its own word.
    """
    lines = _commands(question.decision)
    lines += [f"because {one_line(reason)}" for reason in question.decision.because]
    lines.append(f"in {one_line(question.cwd)}")
    call = question.decision.call
    if call is not None and call.justification:
        lines.append(f"the model says: {one_line(call.justification)}")
    return "\n".join(lines)


def _commands(decision: Decision) -> list[str]:
    lines = []
    for ruling in decision.commands:
        indent = "" if ruling.of is None else "  "
        lines.append(f"{indent}{one_line(shlex.join(ruling.argv))}")
        for effect in ruling.effects:
            if effect.argv is None:
                where = "" if effect.path is None else f" {one_line(effect.path)}"
                lines.append(f"{indent}  {effect.kind.value}{where}")
    return lines
