"""The file of approvals: whole, private, editable, and never in the worktree."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from agent_exec.errors import PolicyError
from agent_exec.model.decision import Decision, Route, Verdict
from agent_exec.runtime.approvals.basis import Basis
from agent_exec.runtime.approvals.memory import Memory, new_entry
from agent_exec.runtime.approvals.pattern import Wide

WIDE = "id: a, at: a, shown: a"
ASKED = Decision(Verdict.ASK, Route.DIRECT)


def basis(*argv: str) -> Basis:
    return Basis({"argv": list(argv)}, "/w", {"/bin/x": "1:2"}, {}, ({"kind": "state"},), False)


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    return Memory(str(tmp_path / "approvals"), str(tmp_path / "worktree"))


def test_what_is_remembered_is_covered_and_nothing_else(memory: Memory) -> None:
    assert not memory.covers(basis("a"), ASKED)
    memory.remember(new_entry("a", basis=basis("a")))
    again = Memory(os.path.dirname(memory.path), str(Path(memory.path).parent.parent / "worktree"))
    for each in (memory, again):
        assert each.covers(basis("a"), ASKED)
        assert not each.covers(basis("b"), ASKED)
        assert not each.covers(basis("a")._replace(cwd="/v"), ASKED)
        assert not each.covers(basis("a")._replace(programs={"/bin/x": "1:3"}), ASKED)
        assert not each.covers(basis("a")._replace(effects=()), ASKED)


@pytest.mark.parametrize(
    "word", ["\udc80", "a\nb", "\u202e", "\x1b[31m", "é", "yes", "1", "\x85", ""]
)
def test_any_word_comes_back_and_none_is_obeyed_by_a_terminal(memory: Memory, word: str) -> None:
    memory.remember(new_entry(word, basis=basis(word)))
    assert Memory(os.path.dirname(memory.path), memory._worktree).covers(basis(word), ASKED)
    text = Path(memory.path).read_bytes()
    assert text.isascii()
    assert b"\x1b" not in text


def test_the_file_is_private_and_says_what_it_is(memory: Memory) -> None:
    memory.remember(new_entry("a", basis=basis("a")))
    memory.remember(new_entry("b ...", wide=Wide(("b",), {"state": ()})))
    path = Path(memory.path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.read_text().startswith("# What runs in this worktree without being asked about")
    assert sorted(os.listdir(path.parent)) == [path.name, f"{path.name}.lock"]


def test_an_edit_counts_at_once(memory: Memory) -> None:
    memory.remember(new_entry("a", basis=basis("a")))
    assert memory.covers(basis("a"), ASKED)
    path = Path(memory.path)
    path.write_text(path.read_text().replace("- a\n", "- b\n"))
    assert not memory.covers(basis("a"), ASKED)
    assert memory.covers(basis("b"), ASKED)
    path.write_text("")
    assert not memory.covers(basis("b"), ASKED)


def test_an_entry_is_forgotten(memory: Memory) -> None:
    entries = [new_entry(name, basis=basis(name)) for name in "ab"]
    for entry in entries:
        memory.remember(entry)
    assert memory.forget(entries[0].id)
    assert not memory.forget(entries[0].id)
    assert memory.entries() == (entries[1],)


@pytest.mark.parametrize(
    "content",
    [
        "version: 2\n",
        "[]",
        "version: 1\napproved: [{id: a}]\n",
        "version: 1\napproved: [{id: 1, at: a, shown: b, basis: {}}]\n",
        f"version: 1\npatterns: [{{{WIDE}, words: [], does: {{}}, rules: []}}]",
        f"version: 1\npatterns: [{{{WIDE}, words: rm, does: {{}}, rules: []}}]",
        f"version: 1\npatterns: [{{{WIDE}, words: [rm], does: [delete], rules: []}}]",
        f"version: 1\npatterns: [{{{WIDE}, words: [rm], does: {{delete: /}}, rules: []}}]",
        f"version: 1\npatterns: [{{{WIDE}, words: [rm], does: {{}}}}]",
        "{",
        "!!python/object/apply:os.system ['true']",
        "\x00",
    ],
)
def test_a_file_that_is_broken_allows_nothing_and_says_so(memory: Memory, content: str) -> None:
    path = Path(memory.path)
    path.parent.mkdir()
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(PolicyError, match=path.name.replace(".", r"\.")):
        memory.covers(basis("a"), ASKED)
    with pytest.raises(PolicyError):
        memory.remember(new_entry("a", basis=basis("a")))
    assert path.read_text() == content


def test_a_file_of_another_kind_or_owner_is_not_believed(memory: Memory, tmp_path: Path) -> None:
    memory.remember(new_entry("a", basis=basis("a")))
    path = Path(memory.path)
    path.chmod(0o620)
    with pytest.raises(PolicyError, match="chmod 600"):
        Memory(str(path.parent), memory._worktree).covers(basis("a"), ASKED)
    path.chmod(0o600)
    moved = tmp_path / "moved"
    path.rename(moved)
    path.symlink_to(moved)
    with pytest.raises(PolicyError):
        memory.covers(basis("a"), ASKED)
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(PolicyError):
        memory.covers(basis("a"), ASKED)


def test_nothing_is_remembered_where_a_call_could_write_it(tmp_path: Path) -> None:
    worktree = tmp_path / "worktree"
    worktree.mkdir()
    for folder in (worktree / "state", worktree):
        with pytest.raises(PolicyError, match="lies in the worktree"):
            Memory(str(folder), str(worktree)).remember(new_entry("a", basis=basis("a")))
    (tmp_path / "link").symlink_to(worktree)
    with pytest.raises(PolicyError, match="lies in the worktree"):
        Memory(str(tmp_path / "link" / "s"), str(worktree)).remember(new_entry("a"))


def test_a_folder_that_others_could_change_is_not_believed(memory: Memory, tmp_path: Path) -> None:
    memory.remember(new_entry("a", basis=basis("a")))
    folder = Path(memory.path).parent
    folder.chmod(0o770)
    with pytest.raises(PolicyError, match="chmod 700"):
        memory.covers(basis("a"), ASKED)
    folder.chmod(0o700)
    assert memory.covers(basis("a"), ASKED)
    moved = tmp_path / "moved"
    folder.rename(moved)
    folder.symlink_to(moved)
    with pytest.raises(PolicyError, match="no directory of ours"):
        memory.covers(basis("a"), ASKED)
    with pytest.raises(PolicyError, match="no directory of ours"):
        memory.remember(new_entry("b", basis=basis("b")))


def test_threads_that_read_take_nothing_from_those_that_write(memory: Memory) -> None:
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            memory.covers(basis("x"), ASKED)

    def write(number: int) -> None:
        for each in range(5):
            memory.remember(new_entry(f"{number}-{each}"))

    readers = [threading.Thread(target=read) for _ in range(2)]
    writers = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in (*readers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in readers:
        thread.join()
    assert len(memory.entries()) == 15


def test_forgetting_nothing_changes_no_file(memory: Memory) -> None:
    assert not memory.forget("a")
    assert not Path(memory.path).exists()


REMEMBERS = """
import sys
from agent_exec.runtime.approvals.memory import Memory, new_entry
folder, worktree, *names = sys.argv[1:]
memory = Memory(folder, worktree)
for name in names:
    memory.remember(new_entry(name))
"""


def test_several_processes_lose_nothing(memory: Memory) -> None:
    places = os.path.dirname(memory.path), memory._worktree
    names = [[f"{number}-{each}" for each in range(8)] for number in range(4)]
    running = [
        subprocess.Popen([sys.executable, "-c", REMEMBERS, *places, *each]) for each in names
    ]
    assert [process.wait(50) for process in running] == [0] * 4
    assert sorted(entry.shown for entry in memory.entries()) == sorted(
        [name for each in names for name in each]
    )
