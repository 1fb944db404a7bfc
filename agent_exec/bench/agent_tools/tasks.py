"""The calls that agents make here: sixteen tools, and shell texts."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent_exec.bench.agent_tools.corpus import PATH, Corpus

_FILE = "src/part_3/module_003.py"
PYTHON = ("python3", "-c", "print(sum(range(1000)))")
NODE = ("node", "-e", "console.log([1, 2, 3].map((n) => n * n).join())")


class WrongAnswerError(Exception):
    """An answer that is not what the tool gives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a call."""

    status: int | None
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One call, as a model would send it: an argv, or shell text."""

    name: str
    argv: tuple[str, ...]
    """Of a text, that of ``bash -c``."""
    text: str | None = None
    minimal: tuple[str, ...] = ()
    """The same program with next to nothing to do: what it takes to start. May be empty."""

    @classmethod
    def of_text(cls, name: str, text: str) -> Task:
        """A call of shell text."""
        return cls(name=name, argv=("bash", "-c", text), text=text)


@dataclass(frozen=True, slots=True)
class Expected:
    """A task, and what it gives each time."""

    task: Task
    answer: Answer

    def check(self, answer: Answer) -> None:
        """Raise `WrongAnswerError` unless `answer` is the one."""
        for name in ("status", "stdout", "stderr"):
            got, wanted = getattr(answer, name), getattr(self.answer, name)
            if got != wanted:
                raise WrongAnswerError(
                    f"{self.task.name}: {name} is {_short(got)}, not {_short(wanted)}"
                )


TOOLS = (
    Task(
        name="rg",
        # Without an order, threads of rg would print as they please.
        argv=("rg", "-n", "--sort", "path", "TODO", "src"),
        minimal=("rg", "--version"),
    ),
    Task(
        name="grep",
        argv=("grep", "-rn", "--include=*.py", "TODO", "src"),
        minimal=("grep", "--version"),
    ),
    Task(name="sed", argv=("sed", "-n", "1,40p", _FILE), minimal=("sed", "-n", "p", "/dev/null")),
    Task(
        name="awk",
        argv=("awk", "/def / { n += 1 } END { print n }", _FILE),
        minimal=("awk", "BEGIN { }"),
    ),
    Task(name="cat", argv=("cat", _FILE), minimal=("cat", "/dev/null")),
    Task(name="head", argv=("head", "-n", "20", _FILE), minimal=("head", "/dev/null")),
    Task(name="tail", argv=("tail", "-n", "20", _FILE), minimal=("tail", "/dev/null")),
    Task(
        name="find",
        argv=("find", "src", "-name", "*.py", "-type", "f"),
        minimal=("find", "/dev/null"),
    ),
    Task(name="stat", argv=("stat", "-c", "%s %n", _FILE), minimal=("stat", "--version")),
    Task(name="ls", argv=("ls", "-l", "src/part_3"), minimal=("ls", "-d", "/")),
    Task(name="git-status", argv=("git", "status", "--short"), minimal=("git", "--version")),
    Task(name="git-diff", argv=("git", "diff"), minimal=("git", "--version")),
    Task(name="python-small", argv=PYTHON, minimal=("python3", "-c", "")),
    Task(name="node-small", argv=NODE, minimal=("node", "-e", "")),
    Task(
        name="sh-c",
        argv=("sh", "-c", f"head -n 5 {_FILE} | wc -l"),
        minimal=("sh", "-c", ":"),
    ),
    Task(
        name="bash-c",
        argv=("bash", "-c", f"grep -c TODO {_FILE} && tail -n 1 {_FILE}"),
        minimal=("bash", "-c", ":"),
    ),
)
INTERPRETERS = ("python-small", "node-small")
TEXTS = (
    Task.of_text("rg-head", "rg -n --sort path TODO src | head -n 5"),
    Task.of_text("cd-ls", "cd src && ls"),
    Task.of_text("cat-sort", f"cat {_FILE} | grep def | sort -u"),
    Task.of_text("grep-or", f"grep -q NOWHERE {_FILE} || echo none"),
    Task.of_text("find-wc", "find src -name '*.py' | wc -l"),
    Task.of_text("sed-quiet", f"sed -n '1,80p' {_FILE} 2>/dev/null"),
)

PRESETS: Mapping[str, tuple[Task, ...]] = {
    "no-interpreters": tuple([task for task in TOOLS if task.name not in INTERPRETERS]),
    "all": TOOLS,
    "shell-text": TEXTS,
}


def prepare_tasks(tasks: Sequence[Task], corpus: Corpus) -> tuple[list[Expected], list[str]]:
    """Run every task twice: what they give, and a line for each that cannot be had here."""
    expected, skipped = [], []
    for task in tasks:
        if shutil.which(task.argv[0], path=PATH) is None:
            skipped.append(f"{task.name}: there is no {task.argv[0]} in {PATH}")
            continue
        answer = run_once(task.argv, corpus)
        if answer.status != 0:
            skipped.append(f"{task.name}: exit status {answer.status}: {answer.stderr.strip()}")
        elif run_once(task.argv, corpus) != answer:
            skipped.append(f"{task.name}: it does not give the same twice")
        else:
            expected.append(Expected(task, answer))
    return expected, skipped


def run_once(argv: Sequence[str], corpus: Corpus) -> Answer:
    """What `argv` gives in the corpus."""
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        cwd=corpus.worktree,
        env=dict(corpus.env),
        check=False,
    )
    return Answer(status=done.returncode, stdout=decode(done.stdout), stderr=decode(done.stderr))


def decode(output: bytes) -> str:
    """As every back end gives its outputs."""
    return output.decode("utf-8", "replace")


def _short(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:60] + "..."
