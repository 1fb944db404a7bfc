"""Facts from a real file system."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from policy.values import command, effect

from agent_exec.model.analysis import Analysed
from agent_exec.policy.facts import Facts, Program
from agent_exec.policy.look import look
from agent_exec.policy.look_program import Programs
from agent_exec.policy.policy import Trust

OURS = Trust(frozenset({0, os.geteuid()}), others_may_write=False)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A directory with a worktree, and a directory of programs beside it."""
    top = Path(os.path.realpath(tmp_path))
    for folder in ("tree/sub", "tree/bin", "bin", "outside"):
        (top / folder).mkdir(parents=True)
    for name in ("tree/a.txt", "tree/b.txt", "tree/.env", "outside/x", "tree/sub/c d"):
        (top / name).write_text("")
    for name in ("bin/tool", "tree/bin/tool", "tree/run"):
        program(top / name)
    (top / "tree/out").symlink_to("../outside")
    (top / "tree/link").symlink_to("a.txt")
    return top


def program(path: Path) -> None:
    path.write_text("#!/bin/true\n")
    path.chmod(0o755)


def seen(top: Path, *found: Analysed, trust: Trust = OURS, cwd: str | None = None) -> Facts:
    tree = str(top / "tree")
    settings = Programs([f"{tree}/bin", str(top / "bin")], tree, trust)
    return look(found, settings, cwd=tree if cwd is None else cwd)


@pytest.mark.parametrize(
    ("path", "real"),
    [
        pytest.param("a.txt", "tree/a.txt", id="plain"),
        pytest.param("sub/../a.txt", "tree/a.txt", id="dots"),
        pytest.param("link", "tree/a.txt", id="a-link"),
        pytest.param("out/x", "outside/x", id="a-link-that-leads-out"),
        pytest.param("out/../x", "x", id="dots-after-a-link"),
        pytest.param("out/new/file", "outside/new/file", id="not-there-behind-a-link"),
        pytest.param("../tree2", "tree2", id="out"),
        pytest.param("no/such/../file", "tree/no/file", id="not-there"),
    ],
)
def test_a_path_is_judged_by_where_it_leads(top: Path, path: str, real: str) -> None:
    facts = seen(top, command("x", effect("read", path)))
    assert list(facts.paths.values()) == [(str(top / real),)]


@pytest.mark.parametrize(
    ("path", "real"),
    [
        pytest.param("link", "tree/link", id="the-link-itself"),
        pytest.param("out/x", "outside/x", id="beneath-a-link"),
        pytest.param("out/", "outside", id="a-slash-follows"),
        pytest.param("out/.", "outside", id="a-dot-follows"),
    ],
)
def test_what_is_deleted_is_the_entry(top: Path, path: str, real: str) -> None:
    facts = seen(top, command("rm", effect("delete", path)))
    assert list(facts.entries.values()) == [(str(top / real),)]


def test_a_pattern_is_all_that_it_matches(top: Path) -> None:
    facts = seen(top, command("cat", effect("read", "*.txt")), command("x", effect("read", "o*/x")))
    assert set(facts.paths[f"{top}/tree/*.txt"]) == {
        f"{top}/tree/{name}" for name in ("*.txt", "a.txt", "b.txt")
    }
    assert f"{top}/outside/x" in facts.paths[f"{top}/tree/o*/x"]


@pytest.mark.parametrize("pattern", ["o?t/x", "o[u]t/x", "*ut/x"])
def test_a_pattern_of_each_kind_leads_where_what_it_matches_does(top: Path, pattern: str) -> None:
    facts = seen(top, command("cat", effect("read", pattern)))
    assert f"{top}/outside/x" in facts.paths[f"{top}/tree/{pattern}"]


def test_only_a_relative_path_begins_where_the_command_works(top: Path) -> None:
    (top / "way").symlink_to("tree")
    found = command("x", effect("read", "a.txt"), effect("read", f"{top}/way/b.txt"))
    facts = seen(top, found, cwd=f"{top}/way")
    assert facts.paths == {
        f"{top}/way/a.txt": (f"{top}/way/a.txt",),
        f"{top}/way/b.txt": (f"{top}/tree/b.txt",),
    }


def test_a_pattern_that_matches_too_much_is_not_known(top: Path) -> None:
    for number in range(4200):
        (top / "tree/sub" / str(number)).touch()
    facts = seen(top, command("cat", effect("read", "sub/*")))
    assert list(facts.paths.values()) == [()]


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "\udcff", "[" * 300])
def test_no_path_is_too_odd(top: Path, path: str) -> None:
    facts = seen(top, command("x", effect("read", path), effect("delete", path)))
    assert len(facts.paths) == 1


def test_no_program_is_looked_up_in_the_worktree(top: Path) -> None:
    facts = seen(top, command("tool"))
    path = str(top / "bin/tool")
    assert facts.programs == {"tool": Program(path, path, None)}


def test_a_program_in_the_worktree_that_is_named_by_its_path_is_not_trusted(top: Path) -> None:
    (found,) = seen(top, command("./run")).programs.values()
    assert found is not None
    assert found.distrusted == "it lies in the worktree"


def test_a_program_elsewhere_is_not_trusted(top: Path) -> None:
    program(top / "outside/tool")
    (found,) = seen(top, command(str(top / "outside/tool"))).programs.values()
    assert found is not None
    assert found.distrusted == "it lies where no programs are looked up"


def test_a_link_into_the_worktree_is_not_trusted(top: Path) -> None:
    (top / "bin/other").symlink_to(top / "tree/run")
    (found,) = seen(top, command("other")).programs.values()
    assert found is not None
    assert found.distrusted == "it lies in the worktree"


@pytest.mark.parametrize(("place", "mode"), [("bin/tool", 0o775), ("bin", 0o777)])
def test_a_program_that_others_may_write_is_not_trusted(top: Path, place: str, mode: int) -> None:
    (top / place).chmod(mode)
    (found,) = seen(top, command("tool")).programs.values()
    assert found is not None
    assert found.distrusted == f"others than its owner may write {top / place}"
    anybody = OURS._replace(others_may_write=True)
    (found,) = seen(top, command("tool"), trust=anybody).programs.values()
    assert found is not None
    assert found.distrusted is None


def test_a_program_of_a_stranger_is_not_trusted(top: Path) -> None:
    (found,) = seen(top, command("tool"), trust=Trust(frozenset({12345}), False)).programs.values()
    assert found is not None
    assert "belongs to user" in str(found.distrusted)


def test_what_is_no_program_is_not_found(top: Path) -> None:
    (top / "bin/text").write_text("")
    (top / "bin/folder").mkdir()
    facts = seen(top, command("text"), command("folder"), command("gone"), command("./gone"))
    assert set(facts.programs.values()) == {None}


def test_names_with_blanks_are_not_plain(top: Path) -> None:
    (top / "plain").mkdir()
    found = command("x")._replace(plain=("sub", "../plain", "gone"))
    facts = seen(top, found)
    assert facts.plain[f"{top}/tree/sub"] is False
    assert facts.plain[f"{top}/tree/../plain"] is True
