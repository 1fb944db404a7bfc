"""Judges many commands and says a line about each, for the interpreter that runs it.

    python -P judge_many.py WORKTREE

The first line says whether the modules of a judgement are compiled.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType

from policy.hidden_rows import ROWS
from policy.judging import Bench

from agent_exec.model.decision import Executor
from agent_exec.policy.analyse import analyse
from agent_exec.policy.load_tables import load_tables
from agent_exec.policy.table import Table

_POLICIES = ("default", "strict", "workspace")
_RANDOM = 2_000
_WORDS = (
    *("a.txt", "src", "src/main.py", ".", "..", "/etc/passwd", "../x", "link/main.py", ".env", "-"),
    *("*.py", "--", "/dev/null", "x=y", "+5", "-5", "s/a/b/", "s/a/b/w out", "git", "rg", "", "{}"),
    *("~/.ssh/id_rsa", "src/", "link/..", "//etc", "http://h/x", ";", "!", "1,80p", "@f", "./p.sh"),
    *(".git/config", ".git/hooks/x", "Makefile", "~", "/", "/etc", "~/.bashrc", ".ssh"),
    *("/usr/bin/env", "bash", "-c", "ls -la", "x[ab]", "é", "\udce9", "\n", "$(id)", "a b", "'"),
)
_SIGNS = ("|", "&&", ";", ">", "2>&1", "<", "||", "\n", "#", "`", '"', "'", "\\", "(", "$HOME", "~")


def _argv(chosen: random.Random, table: Table) -> tuple[str, ...]:
    argv = [table.name]
    while table.commands and chosen.random() < 0.8:
        argv.append(chosen.choice(sorted(table.commands)))
        table = table.commands[argv[-1]]
    options = sorted(table.options)
    for _ in range(chosen.randrange(6)):
        word = chosen.choice(_WORDS)
        if options and chosen.random() < 0.5:
            option = chosen.choice(options)
            spelled = (option, f"{option}={word}", f"{option}{word}", option[:-1], f"--no-{option}")
            word = chosen.choice((option, *spelled))
        argv.append(word)
    return tuple(argv)


def _calls() -> Iterator[tuple[str, ...] | str]:
    for row in ROWS:
        yield row.call
    yield from (Path(__file__).parent / "harmless.txt").read_text("utf-8").splitlines()
    chosen = random.Random(5)
    tables = load_tables()
    names = sorted(tables.names())
    for _ in range(_RANDOM):
        name = chosen.choice(names)
        table = tables.get(name)
        assert table is not None
        yield _argv(chosen, table)
        words = [*_argv(chosen, table), *chosen.choices((*_SIGNS, *_WORDS), k=6)]
        chosen.shuffle(words)
        yield " ".join(words)


def main() -> None:
    """Write a line for each decision."""
    worktree = Path(sys.argv[1])
    print("interpreted" if isinstance(analyse, FunctionType) else "compiled")
    for policy in _POLICIES:
        bench = Bench(policy, worktree)
        for call in _calls():
            executor = Executor.HOST if len(call) % 3 == 0 else Executor.OURS
            decision = bench.judge(
                call, {"LANG": "C"} if len(call) % 5 == 0 else None, executor=executor
            )
            print(ascii((policy, call, decision)))


if __name__ == "__main__":
    main()
