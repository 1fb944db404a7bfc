"""Questions on the terminal."""

from __future__ import annotations

import os
import select
import termios
from collections.abc import Callable
from textwrap import indent
from typing import TextIO

from agent_exec.model.question import Answer, Question, Reply
from agent_exec.schema.question import question_text

_SIGNAL_CHECK_S = 0.1


def terminal_approver() -> Callable[[Question], Answer] | None:
    """Asks on our terminal; None where nobody sits at one."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return None
    return ask_on_terminal


def ask_on_terminal(question: Question) -> Answer:
    """Show the question on /dev/tty and wait for a line.

    Nothing of the call runs meanwhile, and what it starts later has no terminal: it can
    neither write here nor answer. What was typed before the question is thrown away.
    """
    with open("/dev/tty", "r+b", buffering=0) as device:
        terminal = os.fdopen(os.dup(device.fileno()), "w", encoding="utf-8", errors="replace")
        with terminal:
            print("agent-exec: this call needs your approval", file=terminal)
            print(indent(question_text(question), "  "), file=terminal)
            while True:
                answer = _answer(question, _choice(terminal, device.fileno(), _keys(question)))
                if answer.reply in (Reply.ONCE, Reply.NEVER):
                    return answer
                for line in _saved(question, answer):
                    print(line, file=terminal)
                if _choice(terminal, device.fileno(), "Save that? [y/N] ") in ("y", "yes"):
                    return answer


def _keys(question: Question) -> str:
    always = "[a]lways, " if question.remembers else ""
    wider = "[w]ider, " if question.wider else ""
    return f"Run it? [o]nce, {always}{wider}[N]o: "


def _answer(question: Question, choice: str) -> Answer:
    """Whatever is not clearly a yes is a no."""
    if choice in ("o", "once"):
        return Answer(Reply.ONCE)
    if choice in ("a", "always") and question.remembers:
        return Answer(Reply.ALWAYS)
    if choice in ("w", "wider") and question.wider:
        return Answer(Reply.WIDER, pattern=question.wider[0].words)
    return Answer(Reply.NEVER)


def _saved(question: Question, answer: Answer) -> list[str]:
    if answer.reply is Reply.ALWAYS:
        return ["This would run without a question:", *(f"  {line}" for line in question.remembers)]
    return ["This would run without a question:", f"  {question.wider[0].covers}"]


def _choice(terminal: TextIO, fd: int, prompt: str) -> str:
    """The line that is typed; nothing at its end."""
    # All else is read by now, and what comes after the prompt is an answer to it.
    terminal.flush()
    termios.tcflush(fd, termios.TCIFLUSH)
    terminal.write(prompt)
    terminal.flush()
    line = b""
    while not line.endswith(b"\n"):
        # A signal that comes just before read(2) does not end it: Ctrl-C would be lost.
        while not select.select([fd], [], [], _SIGNAL_CHECK_S)[0]:
            pass
        read = os.read(fd, 1024)
        if not read:
            break
        line += read
    return line.decode("utf-8", "replace").strip().lower()
