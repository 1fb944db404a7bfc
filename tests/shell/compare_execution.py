"""Run shell texts by bash and by ours, and compare what came of them.

    python tests/shell/compare_execution.py --size 300 --file COMMANDS --place /srv/data

Compared are the standard output, the standard errors and the exit status of a text, and the
files that it leaves, on copies of a small repository, with each launcher. A text that we leave
to bash is not compared. Everything runs in a sandbox (bubblewrap) without network, in which
only throwaway files can be written. The exit status is 1 when anything differed.

A file holds JSON lines with the text as "command", or a text per line.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from shell.argv_oracle import read_texts
from shell.commands import COMMANDS
from shell.execution import Answer, Sandbox
from shell.texts_to_run import COMBINED, PLACES, REDIRECTED, TEXTS

from agent_exec.shell.reading import Scope, read

# Of the clock, of other processes, or of nothing at all: another result each time.
_VARYING = frozenset(
    {
        *("date", "df", "dmesg", "free", "hwclock", "kill", "killall", "last", "lsof", "mktemp"),
        *(
            "nproc",
            "pgrep",
            "pkill",
            "ps",
            "pstree",
            "reboot",
            "rsync",
            "shuf",
            "shutdown",
            "sleep",
        ),
        *("stat", "time", "top", "uptime", "vmstat", "w", "watch", "who", "zip"),
    }
)
_LONGEST = 4000


def combinations(count: int, seed: int) -> Iterator[str]:
    """Commands with redirections, in places where their outcome matters."""
    random_ = random.Random(seed)
    for _ in range(count):
        redirections = " ".join(random_.choices(REDIRECTED, k=random_.choice((0, 1, 1, 2, 3))))
        text = f"{random_.choice(COMBINED)} {redirections}".rstrip()
        yield random_.choice(PLACES).replace("COMMAND", text)


def may_run(text: str, scope: Scope) -> bool:
    """Is `text` ours to run, and does it do the same each time?"""
    reading = read(text, scope)
    words = {word.rpartition("/")[2] for command in reading.commands for word in command.argv}
    return (
        reading.script is not None
        and len(text) <= _LONGEST
        and bool(reading.commands)
        and words.isdisjoint(_VARYING)
    )


def report(name: str, answers: Iterable[Answer], *, verbose: bool) -> int:
    """Print what came of the texts of one source; how many differed."""
    counted: Counter[str] = Counter()
    for answer in answers:
        counted[answer.outcome] += 1
        if answer.outcome in ("different", "at times") or (verbose and answer.why):
            print(f"  {answer.outcome}: {answer.text!r}", *answer.why, sep="\n    ", flush=True)
    print(
        f"{name}: {counted['equal']} alike, {counted['different']} different;"
        f" {counted['at times']} at times, {counted['left out']} not comparable,"
        f" {counted['shell']} left to bash",
        flush=True,
    )
    return counted["different"]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--size", type=int, help="at most so many texts of each source")
    parser.add_argument("--combined", type=int, default=500, help="how many combinations")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--file", type=Path, action="append", default=[])
    parser.add_argument("--place", action="append", default=[], help="the fixture is here, too")
    parser.add_argument("--launcher", action="append", help="instead of vfork and portable")
    parser.add_argument("--verbose", action="store_true", help="say what was not comparable")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder), options.launcher or ["vfork", "portable"], options.place)
        sources = {"our own texts": [*TEXTS, *COMMANDS]}
        for path in options.file:
            sources[str(path)] = list(read_texts(path))
        sources[f"combinations, seed {options.seed}"] = list(
            combinations(options.combined, options.seed)
        )
        differences = 0
        with sandbox:
            for name, texts in sources.items():
                chosen = [text for text in texts if may_run(text, sandbox.scope)]
                answers = sandbox.compare(chosen[: options.size])
                differences += report(name, answers, verbose=options.verbose)
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
