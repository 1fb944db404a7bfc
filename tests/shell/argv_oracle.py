"""Compare our reading of shell text with bash's, over any number of texts.

    python tests/shell/argv_oracle.py --random 20000 --seed 1 --file COMMANDS --size 500

Random are sequences of what means something to bash, and as many of the listed texts changed
in a few places.

Compared are the argument vectors of all commands that a text runs. Ours is asked first: a
text that we leave to bash counts as such. Needs bash, gcc and bubblewrap; no command of any
text runs. The exit status is 1 when a text was read in two ways.

A file holds JSON lines with the text as "command", or a text per line.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from shell.commands import COMMANDS
from shell.oracle import Argv, NotComparable, Oracle

# fmt: off
TOKENS = (
    "a", "b", "-x", "'q r'", '"s t"', "$V", "${V}", "$EMPTY", '"$EMPTY"', "$WORDS", '"$WORDS"',
    "$NONE", "$?", "\\ ", "\\$", "\\\n", "~", "~a", "a=~", "x=1", "x=$V", "x+=1", "{a,b}", "{}",
    "a{b", "{a..c}", "%1", "'%'", "=", "a=b", "!", "!", "&&", "||", ";", "|", "|&", "&", "\n",
    " ", " ", "\t", ">o", "2>&1", "1>&2", ">&2", "&>o", "<<<", "<<E\n", "<<'E'\n", "<<-E\n",
    "\nE\n", "E", "#", "# c", "if", "then", "fi", "while", "do", "done", "{", "}", "(", ")",
    "[[", "]]", "time", "coproc", "function", "in", "case", "esac", "$(a)", "`a`", "$((1))",
    '"', "'", "\\", "$'x'", '$"x"', "$", "$1", "$$", "<", ">", "2", "0", "1", ";;", "echo",
    "cd", "true", "exit", "eval", "a[", "a[0]=1", "<(a)", "$[1]", '"$(a)"', '"a\\\nb"',
    '"\\$V"', '"\\a"', ":", "é", "~+", "{fd}>o", "b:~", "--p=~", "\r", "a#b", "''", '""',
    '"\'"', '\'"\'', "*", "?", "[", "]", "[ab]", "[a-z]", "[!a]", "*.py", "src/*", "*/", "*/*",
    ".h*", "?.py", "//", "./", "/", ",", "..", "{1..3}", "{a,}", "{,x}", "{b,{c,d}}", "x{", "}y",
    "$0", "$#", "$9", "$'\\t'", "$'a\\'b'", "$'\\x41\\101'", "$STAR", '"$STAR"', "$DIR", "-n",
    "printf", "'%s'", "test", "-f", "]", "export", "Q=1", "pwd", "o", ">>o", "<a", "<zz", "<>o",
    ">|o", ">/dev/null", "2>/dev/null", "$PWD", "$SHELL", "$RANDOM", "$_",
)
# fmt: on


def soups(count: int, seed: int) -> Iterator[str]:
    """Texts that nobody chose."""
    random_ = random.Random(seed)
    for _ in range(count):
        tokens = [random_.choice(TOKENS) for _ in range(random_.randint(1, 9))]
        yield "".join(token + random_.choice(("", "", " ", " ", " ")) for token in tokens)


def mutants(texts: Sequence[str], count: int, seed: int) -> Iterator[str]:
    """Texts that somebody chose, with a few characters gone, come, or from another text."""
    random_ = random.Random(seed)
    for _ in range(count):
        text = random_.choice(texts)
        for _ in range(random_.randint(1, 3)):
            at, length = random_.randint(0, len(text)), random_.randint(0, 4)
            other = random_.choice(texts)
            begin = random_.randint(0, len(other))
            inserted = random_.choice(
                (random_.choice(TOKENS), "", other[begin : begin + random_.randint(0, 12)])
            )
            text = text[:at] + inserted + text[at + length :]
        yield text


@dataclass(slots=True)
class Comparison:
    """What became of some texts."""

    equal: int = 0
    left_out: int = 0
    different: list[tuple[str, list[Argv], list[Argv]]] = field(default_factory=list)


def compare(oracle: Oracle, texts: Iterable[str]) -> Comparison:
    """Read every text in both ways."""
    found = Comparison()
    for text in texts:
        try:
            ours = oracle.ours(text)
        except NotComparable:
            found.left_out += 1
            continue
        theirs = oracle.bash(text)
        if ours == theirs:
            found.equal += 1
        else:
            found.different.append((text, ours, theirs))
    return found


def read_texts(path: Path) -> Iterator[str]:
    for line in path.read_text("utf-8").splitlines():
        if line.startswith("{") and '"command"' in line:
            yield json.loads(line)["command"]
        else:
            yield line


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--random", type=int, default=2000, help="how many random texts")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--file", type=Path, action="append", default=[])
    parser.add_argument("--size", type=int, help="at most so many texts of each file")
    options = parser.parse_args()
    sources = {"our own list": list(COMMANDS)}
    for path in options.file:
        sources[str(path)] = list(read_texts(path))[: options.size]
    listed = [text for texts in sources.values() for text in texts]
    sources[f"changed, seed {options.seed}"] = list(mutants(listed, options.random, options.seed))
    sources[f"random, seed {options.seed}"] = list(soups(options.random, options.seed))
    differences = 0
    with tempfile.TemporaryDirectory() as folder, Oracle(Path(folder)) as oracle:
        for name, texts in sources.items():
            found = compare(oracle, texts)
            differences += len(found.different)
            print(
                f"{name}: {len(texts)} texts, {found.equal} read alike, {found.left_out} left to"
                f" bash or not comparable, {len(found.different)} read otherwise"
            )
            for text, ours, theirs in found.different:
                print(f"  {text!r}\n    ours {ours}\n    bash {theirs}")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
