"""``agent-exec run`` on a real terminal."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from in_process import InProcess

from agent_exec.cli.prompt import _answer, _choice
from agent_exec.model.call import ToolCall
from agent_exec.model.decision import Decision, Route, Ruling, Verdict
from agent_exec.model.effect import Effect, EffectKind
from agent_exec.model.question import Answer, Question, Reply
from agent_exec.schema.question import question_text


class Terminal:
    """A program with a terminal of its own, and us at the other end."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execv(sys.executable, [sys.executable, "-P", "-m", "agent_exec", *words])
        self.shown = ""

    def until(self, text: str) -> str:
        """What is shown, up to `text`."""
        while text not in self.shown:
            ready, _, _ = select.select([self.fd], [], [], 50)
            assert ready, f"nothing more came after {self.shown!r}"
            more = self._read()
            assert more, f"it ended after {self.shown!r}"
            self.shown += more
        before, _, self.shown = self.shown.partition(text)
        return before

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def end(self) -> tuple[int, str]:
        """Exit status, and what was shown until then."""
        while True:
            more = self._read()
            if not more:
                break
            self.shown += more
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        return os.waitstatus_to_exitcode(status), self.shown

    def close(self) -> None:
        os.close(self.fd)
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def _read(self) -> str:
        try:
            return os.read(self.fd, 65536).decode("utf-8", "replace")
        except OSError:  # EIO: the last one has closed it
            return ""


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[list[Terminal]]:
    made: list[Terminal] = []
    (tmp_path / "a").write_text("")
    yield made
    for each in made:
        each.close()


def start(terminals: list[Terminal], folder: Path, *words: str) -> Terminal:
    terminals.append(Terminal(folder, "run", *words))
    return terminals[-1]


def test_once(terminals: list[Terminal], tmp_path: Path) -> None:
    terminal = start(terminals, tmp_path, "--", "rm", "-v", "a")
    asked = terminal.until("[N]o: ")
    assert "rm -v a\r\n    delete a" in asked
    assert "because rm deletes a" in asked
    assert (tmp_path / "a").exists()
    terminal.type("o\n")
    assert terminal.end()[0] == 0
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize("typed", ["\n", "\x04", "oh no\n"])
def test_anything_else_is_no(terminals: list[Terminal], tmp_path: Path, typed: str) -> None:
    terminal = start(terminals, tmp_path, "--", "rm", "a")
    terminal.until("[N]o: ")
    terminal.type(typed)
    status, shown = terminal.end()
    assert status == 125
    assert "a person said no" in shown
    assert (tmp_path / "a").exists()


@pytest.mark.parametrize("typed", ["", "n", "x", "yes", "abort", "always", "wider", "a", "w"])
def test_what_is_not_clearly_a_yes_or_not_offered_is_a_no(typed: str) -> None:
    decision = Decision(Verdict.ASK, Route.DIRECT)
    question = Question("1", decision, "/w", "/w", (), ())
    assert _answer(question, typed) == Answer(Reply.NEVER)


def test_always_shows_what_it_saves_first(
    terminals: list[Terminal], tmp_path: Path, agent_exec: InProcess
) -> None:
    terminal = start(terminals, tmp_path, "--", "touch", "c")
    terminal.until("[N]o: ")
    terminal.type("a\n")
    assert "exactly this call: touch c" in terminal.until("Save that? [y/N] ")
    terminal.type("n\n")
    terminal.until("[N]o: ")
    terminal.type("a\n")
    terminal.until("Save that? [y/N] ")
    terminal.type("y\n")
    assert terminal.end()[0] == 0
    assert start(terminals, tmp_path, "--", "touch", "c").end()[0] == 0
    listed = agent_exec("approvals", "list", "-w", str(tmp_path)).stdout.decode()
    assert listed.endswith("  touch c\n")
    forget = ["approvals", "forget", "-w", str(tmp_path), listed.split()[0]]
    assert [agent_exec(*forget).returncode for _ in range(2)] == [0, 1]
    terminal = start(terminals, tmp_path, "--", "touch", "c")
    terminal.until("[N]o: ")


def test_what_was_typed_before_the_question_is_no_answer(
    terminals: list[Terminal], tmp_path: Path
) -> None:
    terminal = start(terminals, tmp_path, "--", "rm", "a")
    terminal.type("o\no\no\n")
    terminal.until("[N]o: ")
    terminal.type("n\n")
    assert terminal.end()[0] == 125
    assert (tmp_path / "a").exists()


def test_a_whole_text_is_shown_as_it_is(terminals: list[Terminal], tmp_path: Path) -> None:
    text = "for i in 1; do\n  rm $i # \x1b]0;hidden\x07\u202e\ndone"
    terminal = start(terminals, tmp_path, "-c", text)
    asked = terminal.until("[N]o: ")
    assert "  | for i in 1; do\r\n" in asked
    assert r"rm $i # \x1b]0;hidden\x07\u202e" in asked
    assert "\x1b" not in asked
    terminal.type("n\n")
    assert terminal.end()[0] == 125


def test_ctrl_c_ends_it(terminals: list[Terminal], tmp_path: Path) -> None:
    terminal = start(terminals, tmp_path, "--", "rm", "a")
    terminal.until("[N]o: ")
    terminal.type("\x03")
    assert terminal.end()[0] == 130
    assert (tmp_path / "a").exists()


class ToldError(Exception):
    """By a signal."""


def test_a_signal_that_interrupts_no_system_call_ends_the_wait_too() -> None:
    # As one that comes just before read(2): another thread gets it, and nobody is woken.
    def raise_told(_signum: int, _frame: object) -> None:
        raise ToldError

    ours, theirs = pty.openpty()

    def tell() -> None:
        assert b"? " in os.read(ours, 100)
        signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, raise_told)
    thread = threading.Thread(target=tell)
    try:
        with os.fdopen(theirs, "w") as terminal:
            thread.start()
            with pytest.raises(ToldError):
                _choice(terminal, theirs, "? ")
    finally:
        signal.signal(signal.SIGUSR1, before)
        thread.join()
        os.close(ours)


def test_what_was_approved_has_no_terminal(terminals: list[Terminal], tmp_path: Path) -> None:
    text = "import os\ntry: os.open('/dev/tty', os.O_RDWR)\nexcept OSError as e: print(e.errno)"
    terminal = start(terminals, tmp_path, "--", "python3", "-c", text)
    terminal.until("[N]o: ")
    terminal.type("o\n")
    status, shown = terminal.end()
    # ENXIO, or EACCES where the sandbox is in the way first.
    assert (status, shown.split()[-1]) in {(0, "6"), (0, "13")}


def test_where_nobody_sits_it_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "agent_exec", "run", "--", "touch", "c"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    assert (done.returncode, done.stdout) == (125, "")
    assert "nobody is there: touch writes c" in done.stderr


def test_nothing_in_a_question_is_obeyed_by_the_terminal() -> None:
    evil = "a\x1b[2J\x1b]0;x\x07\r\n[o]nce\u202e"
    effects = (Effect(EffectKind.WRITE, evil), Effect(EffectKind.EXECUTE, because=evil))
    ruling = Ruling(("rm", evil), "/usr/bin/rm", None, Verdict.ASK, effects, (), ())
    call = ToolCall(stages=(("rm", evil),), justification=evil)
    decision = Decision(Verdict.ASK, Route.DIRECT, None, (ruling,), (evil,), call=call)
    text = question_text(Question("1", decision, "/w", f"/w/{evil}", (), ()))
    assert all(char.isprintable() or char == "\n" for char in text)
    assert not any(line.startswith("[o]nce") for line in text.splitlines())
    assert "the model says: a" in text


def test_the_terminal_is_left_as_it_was(terminals: list[Terminal], tmp_path: Path) -> None:
    terminal = start(terminals, tmp_path, "--", "rm", "a")
    before = termios.tcgetattr(terminal.fd)
    terminal.until("[N]o: ")
    terminal.type("n\n")
    terminal.end()
    assert termios.tcgetattr(terminal.fd) == before
