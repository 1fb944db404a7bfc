"""What the tools work on: generated sources that look like Python, in a small git repository."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent_exec.errors import Unsupported

PATH = "/usr/local/bin:/usr/bin:/bin"
"""Where programs are looked up, by every back end: as the default policy says."""

_FUNCTION = '''
def {verb}_{noun}_{number}(items, *, limit={limit}):
    """{Verb} the {noun}s that are below `limit`."""
    kept = [item for item in items if item.{noun} < limit]
    # {remark}: {verb} them in one pass
    for place, item in enumerate(kept):
        if item.is_{noun}:
            kept[place] = item.{verb}(limit - place)
    return kept
'''
_VERBS = ("build", "check", "collect", "handle", "load", "merge", "parse", "write")
_NOUNS = ("account", "block", "entry", "frame", "node", "packet", "record", "token")
_REMARKS = ("NOTE", "NOTE", "NOTE", "TODO")
# Old enough that git need not look at contents again because of the time.
_LONG_AGO = 1_600_000_000


@dataclass(frozen=True, slots=True)
class Size:
    """Of the generated sources."""

    files: int
    functions: int
    """In each file; a function has 9 lines."""


SIZES: Mapping[str, Size] = {
    "small": Size(files=12, functions=6),
    "medium": Size(files=48, functions=12),
    "large": Size(files=400, functions=20),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """A worktree, and the environment in which tools and workers run. Paths are absolute."""

    worktree: str
    env: tuple[tuple[str, str], ...]
    """Of every tool, and of the processes that call them."""
    size: str


def make_corpus(folder: Path, size: str) -> Corpus:
    """Lay out the sources in `folder`, commit them, and change a few.

    Raises:
        Unsupported: There is no git that makes a repository.
        KeyError: There is no such size.
    """
    worktree, home = folder / "worktree", folder / "home"
    worktree.mkdir()
    home.mkdir()
    corpus = Corpus(
        worktree=str(worktree),
        env=(
            ("PATH", PATH),
            ("HOME", str(home)),
            ("LANG", "C.UTF-8"),
            # What a user of the tool has anyway; here it goes when the benchmark does.
            ("XDG_STATE_HOME", str(home / "state")),
            ("XDG_RUNTIME_DIR", str(home)),
        ),
        size=size,
    )
    names = _write_sources(worktree, SIZES[size])
    _git(corpus, "init", "--quiet", "--initial-branch=main")
    _git(corpus, "add", "--all")
    identity = ("-c", "user.name=Bench", "-c", "user.email=bench@localhost")
    _git(corpus, *identity, "commit", "--quiet", "--message=Everything")
    for name in names[:3]:
        with open(worktree / name, "a", encoding="utf-8") as file:
            file.write("\n\nLIMIT = 42\n")
    (worktree / "notes.txt").write_text("not committed\n", "utf-8")
    for name in (*names[:3], "notes.txt"):
        os.utime(worktree / name, (_LONG_AGO + 60, _LONG_AGO + 60))
    return corpus


def _write_sources(worktree: Path, size: Size) -> list[str]:
    words = random.Random(1)
    names = []
    for number in range(size.files):
        name = f"src/part_{number % 8}/module_{number:03}.py"
        path = worktree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        functions = [
            _FUNCTION.format(
                verb=(verb := words.choice(_VERBS)),
                Verb=verb.capitalize(),
                noun=words.choice(_NOUNS),
                number=index,
                limit=words.randrange(10, 1000),
                remark=words.choice(_REMARKS),
            )
            for index in range(size.functions)
        ]
        path.write_text(f'"""Part {number}."""\n' + "\n".join(functions), "utf-8")
        os.utime(path, (_LONG_AGO, _LONG_AGO))
        names.append(name)
    return names


def _git(corpus: Corpus, *words: str) -> None:
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=corpus.worktree,
            env=dict(corpus.env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise Unsupported(f"the benchmark needs git, and there is none in {PATH}") from None
    if done.returncode != 0:
        raise Unsupported(f"git {words[0]} failed: {done.stderr.strip()}")
