"""``agent-exec log``."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from in_process import InProcess

from agent_exec import ExecTool
from agent_exec.runtime.audit import reader

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    worktree = tmp_path / "worktree"
    worktree.mkdir()
    (worktree / "a").write_text("")
    with ExecTool(worktree, audit=tmp_path / "log", asked_by="me\x1b[2J") as tool:
        tool.run_sync(["cat", "a"])
        tool.run_shell_sync("cat a && ls")
    return tmp_path / "log"


@pytest.fixture
def run(agent_exec: InProcess) -> Run:
    def call(log: Path, *words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = agent_exec("log", *words, "--folder", str(log))
        assert done.returncode == status
        out, err = done.stdout.decode(), done.stderr.decode()
        return subprocess.CompletedProcess(done.args, done.returncode, out, err)

    return call


def test_show(run: Run, log: Path) -> None:
    done = run(log, "show")
    first, second = done.stdout.splitlines()
    assert re.search(r"Z allow exit 0, held by landlock\+seccomp\S* \[me\] cat a$", first)
    assert second.endswith("cat a && ls")
    assert done.stderr == ""
    assert run(log, "show", "--program", "ls").stdout.count("\n") == 1
    shown = [json.loads(line) for line in run(log, "show", "--json").stdout.splitlines()]
    assert [record["v"] for record in shown] == [1, 1]
    (path,) = log.iterdir()
    path.write_text(json.dumps({**shown[0], "held_by": []}) + "\n")
    assert run(log, "show").stdout.endswith("exit 0, held by nothing [me] cat a\n")


def test_broken_lines_are_told(run: Run, log: Path) -> None:
    (path,) = log.iterdir()
    path.write_bytes(path.read_bytes() + b"{nothing\n[]\n")
    done = run(log, "show")
    assert done.stdout.count("\n") == 2
    assert done.stderr == "agent-exec: 2 lines were no records\n"


@pytest.mark.parametrize("words", [("show",), ("stats",), ("replay", "-p", "open")], ids=str)
def test_records_of_another_shape_are_told(run: Run, log: Path, words: tuple[str, ...]) -> None:
    (path,) = log.iterdir()
    whole = json.loads(path.read_text().split("\n")[1])
    wrong = ["x", 1.5, True, [5], {"argv": 5, "commands": {}}, {"pipeline": [5], "commands": [5]}]
    wrong += [{"command": 5, "because": 5, "run_ms": 10**400}, {"commands": [{"argv": "x"}]}]
    records = [{**whole, name: value} for name in whole for value in wrong]
    with path.open("a") as file:
        file.writelines(f"{json.dumps(record)}\n" for record in records)
    done = run(log, *words)
    assert "were no records\n" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to(path)])
@pytest.mark.parametrize("place", ["of the log", "of a day"])
def test_what_is_no_log_is_told(
    run: Run, tmp_path: Path, place: str, make: Callable[[Path], None]
) -> None:
    folder = tmp_path / "log"
    path = folder
    if place == "of a day":
        folder.mkdir()
        path = folder / "2026-11-23.jsonl"
    elif make is Path.mkdir:
        make = Path.touch
    make(path)
    done = run(folder, "show", status=125)
    assert done.stderr.startswith("agent-exec: ")
    assert str(path) in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_line_that_is_too_long_counts_once(
    run: Run, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = log.iterdir()
    path.write_bytes(b"[]" * 50_000 + b"\n" + path.read_bytes())
    monkeypatch.setattr(reader, "_MOST_LINE", 50_000)
    monkeypatch.setattr(reader, "_CHUNK", 1000)
    done = run(log, "show")
    assert done.stderr == "agent-exec: 1 lines were no records\n"
    assert done.stdout.count("\n") == 2


def test_follow(log: Path) -> None:
    words = [sys.executable, "-P", "-m", "agent_exec", "log", "show", "-f", "--folder", str(log)]
    following = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert following.stdout is not None
    try:
        assert [following.stdout.readline()[-5:] for _ in range(2)] == ["at a\n", "& ls\n"]
        with ExecTool(log.parent / "worktree", audit=log) as tool:
            tool.run_sync(["wc", "a"])
        assert following.stdout.readline().endswith("wc a\n")
    finally:
        following.terminate()
        following.wait()
        following.stdout.close()


def test_stats_and_replay(run: Run, log: Path) -> None:
    assert run(log, "stats").stdout.startswith("2 calls\nverdicts: allow 2\n")
    assert json.loads(run(log, "stats", "--json").stdout)["calls"] == 2
    done = run(log, "replay", "-p", "strict")
    assert "2 calls" in done.stderr
    for line in done.stdout.splitlines():
        assert line.startswith("allow -> ")


def test_an_empty_log_and_a_policy_that_is_none(run: Run, tmp_path: Path) -> None:
    assert run(tmp_path / "nothing", "show").stdout == ""
    assert run(tmp_path / "nothing", "stats").stdout.startswith("0 calls\n")
    done = run(tmp_path / "nothing", "replay", "-p", "nonsense", status=125)
    assert "there is no policy 'nonsense'" in done.stderr
