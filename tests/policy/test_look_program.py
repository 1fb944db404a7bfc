"""Programs that are kept: what is found is what looking for them anew would find."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_exec.policy.eyes import Eyes, Glance, Witness, is_still_so
from agent_exec.policy.facts import Program
from agent_exec.policy.look_program import Programs
from agent_exec.policy.paths import (
    _SECRET_FOLDERS,
    _SECRET_NAMES,
    Places,
    _may_be_secret,
    is_beneath,
    normal,
)
from agent_exec.policy.policy import Trust
from agent_exec.runtime.select import select_witness

OURS = Trust(frozenset({0, os.geteuid()}), others_may_write=False)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """A worktree, and two directories of programs, of which the second has one."""
    top = Path(os.path.realpath(tmp_path))
    for folder in ("tree", "first", "bin"):
        (top / folder).mkdir(mode=0o755)
    program(top / "bin/tool")
    return top


def program(path: Path) -> None:
    path.write_text("#!/bin/true\n")
    path.chmod(0o755)


def programs(top: Path, witness: Callable[[tuple[Glance, ...]], Witness] | None = None) -> Programs:
    return Programs([str(top / "first"), str(top / "bin")], str(top / "tree"), OURS, witness)


def find(known: Programs, name: str = "tool") -> tuple[Program | None, set[Glance]]:
    eyes = Eyes()
    found = known.find(name, "/", eyes)
    glances = eyes.glances()
    assert glances is not None
    return found, set(glances)


def behind_a_link(top: Path) -> None:
    (top / "bin/tool").rename(top / "tree/tool")
    (top / "bin/tool").symlink_to("../tree/tool")


def a_directory(top: Path) -> None:
    (top / "bin/tool").unlink()
    (top / "bin/tool").mkdir()


CHANGES: list[tuple[str, Callable[[Path], object]]] = [
    ("gone", lambda top: (top / "bin/tool").unlink()),
    ("not-executable", lambda top: (top / "bin/tool").chmod(0o644)),
    ("others-may-write-it", lambda top: (top / "bin/tool").chmod(0o777)),
    ("others-may-replace-it", lambda top: (top / "bin").chmod(0o777)),
    ("others-may-replace-what-leads-to-it", lambda top: top.chmod(0o777)),
    ("one-before-it", lambda top: program(top / "first/tool")),
    ("a-link-into-the-worktree", behind_a_link),
    ("a-directory", a_directory),
]


@pytest.mark.parametrize("change", [case[1] for case in CHANGES], ids=[case[0] for case in CHANGES])
def test_a_change_is_seen_by_the_next_call(top: Path, change: Callable[[Path], object]) -> None:
    known = programs(top, select_witness())
    assert find(known) == find(known) == find(programs(top))
    change(top)
    assert find(known) == find(known) == find(programs(top))


def test_what_is_kept_is_asked_about_once_for_a_call_and_not_looked_for(top: Path) -> None:
    asked: list[tuple[Glance, ...]] = []

    def witness(glances: tuple[Glance, ...]) -> Witness:
        def holds() -> bool:
            asked.append(glances)
            return is_still_so(glances)

        return holds

    known = programs(top, witness)
    first, glances = find(known)
    assert not asked
    assert find(known) == (first, glances)
    assert [set(each) for each in asked] == [glances]


@pytest.mark.parametrize("name", ["nothing", "../bin/tool"], ids=["missing", "by-path"])
def test_only_what_is_found_by_its_name_is_kept(top: Path, name: str) -> None:
    known = programs(top, lambda glances: pytest.fail(f"kept with {glances}"))
    cwd = str(top / "tree")
    assert known.find(name, cwd, Eyes()) == programs(top).find(name, cwd, Eyes())


NAMES = st.sampled_from(
    [
        *("", "src", "proc", "1", "environ", "fd", ".SSH", ".\u017fsh", ".ssh\n", ".config", "GH"),
        *("gh", "run", "secrets", "etc", "ssl", "private", "agent_exec", "audit", "mem2", "a.ssh"),
    ]
)
PATHS = st.lists(NAMES, min_size=1, max_size=5).map(lambda names: "/" + "/".join(names))


@given(path=PATHS | st.text(max_size=12))
def test_every_path_beneath_secrets_is_compared_with_them(path: str) -> None:
    if _SECRET_FOLDERS.search(path) is not None:
        assert _may_be_secret(path)


@given(name=st.from_regex(_SECRET_NAMES, fullmatch=True))
def test_every_name_of_a_secret_is_compared_with_them(name: str) -> None:
    if "/" not in name:
        assert _may_be_secret(f"/src/{name}")


@given(path=PATHS, folders=st.lists(PATHS.map(normal), max_size=4))
def test_places_hold_what_is_beneath_one_of_them(path: str, folders: list[str]) -> None:
    places = Places(folders)
    assert places.hold(path) == any(map(partial(is_beneath, path), folders))
    assert places.some_beneath(path) == any(is_beneath(each, path) for each in folders)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("//", "/"),
        ("//etc/passwd", "/etc/passwd"),
        ("///etc/passwd", "/etc/passwd"),
        ("//a/../b", "/b"),
        ("/a//b/.", "/a/b"),
        ("a//b/..", "a"),
    ],
)
def test_two_slashes_at_the_start_are_one(path: str, expected: str) -> None:
    assert normal(path) == expected
