"""Redirections in their order, against bash."""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from agent_exec import ExecTool
from agent_exec.model.script import Kind, Operator, Piece, Redirection, Word
from agent_exec.runtime.open_file import open_file
from agent_exec.runtime.redirect import ERRORS, OUTPUT, redirect, text_file

BOTH = "sh -c 'echo out; echo err >&2'"


@pytest.mark.parametrize(
    "redirections",
    [
        "> a",
        ">> a",
        "2> a",
        "> a 2> b",
        "> a 2>&1",
        "2>&1 > a",
        "&> a",
        "&>> a",
        "> a > b",
        "2> a 1>&2",
        "> a 2> a",
        "< in",
        "<> a",
        "< in > a < other",
        "<<< text",
        "> no/such/folder",
        "2> no/such/folder",
        "> a > no/such/folder > b",
        "< missing > a",
        "> a < missing",
        "2>&1 | cat > a",
        "|& cat > a",
        "> a |& cat > b",
        "2> a | cat",
    ],
)
def test_the_same_as_bash(tmp_path: Path, redirections: str) -> None:
    seen = []
    text = f"cat in 2>/dev/null; {BOTH} {redirections}; cat {redirections.partition('|')[0]}"
    for how in ("bash", "ours"):
        folder = tmp_path / how
        folder.mkdir()
        (folder / "in").write_text("in\n")
        (folder / "other").write_text("other\n")
        if how == "bash":
            done = subprocess.run(
                ["bash", "-c", "--", text],
                cwd=folder,
                capture_output=True,
                check=False,
                env={**os.environ, "LC_ALL": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                text=True,
            )
            result = done.returncode, done.stdout, done.stderr
        else:
            with ExecTool(folder, policy="open") as tool:
                ran = tool.run_shell_sync(text, env={"LC_ALL": "C.UTF-8"})
            assert ran.route == "direct"
            result = ran.status or 0, ran.stdout.head, ran.stderr.head
        files = {path.name: path.read_text() for path in folder.iterdir()}
        seen.append((result, files))
    assert seen[1] == seen[0]


def word(text: str) -> Word:
    return Word((Piece(Kind.QUOTED, text),))


def test_descriptors_are_closed_with_what_holds_them(tmp_path: Path) -> None:
    before = set(os.listdir("/proc/self/fd"))
    redirections = [
        Redirection(1, Operator.WRITE, word("a")),
        Redirection(2, Operator.DUPLICATE_OUT, word("1")),
        Redirection(0, Operator.HERE_STRING, word("text")),
    ]
    with ExitStack() as holds:
        made = redirect(
            redirections,
            lambda each: each.target.literal or "",
            open_=lambda name, operator: open_file(name, str(tmp_path), operator),
            errors_too=False,
            holds=holds,
        )
        stdin, stdout, stderr = made.targets
        assert stdin is not None
        assert stdin > 2
        assert stdout == stderr
        assert stdout is not None
        assert stdout > 2
        assert len(made.actions) == 3
        assert os.read(stdin, 10) == b"text\n"
    assert set(os.listdir("/proc/self/fd")) == before


def test_outputs_that_change_places() -> None:
    redirections = [Redirection(1, Operator.DUPLICATE_OUT, word("2"))]
    with ExitStack() as holds:
        made = redirect(
            redirections,
            lambda each: each.target.literal or "",
            open_=lambda *_: -1,
            errors_too=False,
            holds=holds,
        )
    assert made.targets == (None, ERRORS, ERRORS)
    assert OUTPUT not in made.targets


@pytest.mark.parametrize("size", [0, 1, 65536, 65537, 1_000_000])
def test_a_text_of_any_size_can_be_read(size: int) -> None:
    fd = text_file(b"x" * size)
    with open(fd, "rb") as file:
        assert sum(map(len, iter(partial(file.read, 100_000), b""))) == size
