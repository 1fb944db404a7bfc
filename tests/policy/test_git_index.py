"""Inner repositories in an index, against git."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy.git_place import sh

from agent_exec.policy.git_index import inner_repositories

_NAMES = ("a", "b/c", "deep/er/name", "d" * 300, "with space", "zz")
_PLAIN = {"PATH": "/usr/bin:/bin", "HOME": "/nothing", "GIT_CONFIG_NOSYSTEM": "1"}


def _with_links(here: Path, *, version: int, algorithm: str) -> bytes:
    here.mkdir()
    sh(f"git init -q --object-format={algorithm} .", here)
    digits = 40 if algorithm == "sha1" else 64
    lines = [f"160000 {'1' * digits}\t{name}" for name in _NAMES]
    lines += [f"100644 {'2' * digits}\tfiles/{number:03}" for number in range(50)]
    subprocess.run(
        ["git", "update-index", "--index-info"],
        cwd=here,
        env=_PLAIN,
        input="".join(f"{line}\n" for line in lines),
        text=True,
        check=True,
    )
    sh(f"git update-index --index-version {version}", here)
    return (here / ".git/index").read_bytes()


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
@pytest.mark.parametrize("version", [2, 3, 4])
def test_all_inner_repositories_are_found(tmp_path: Path, version: int, algorithm: str) -> None:
    content = _with_links(tmp_path / "r", version=version, algorithm=algorithm)
    found = inner_repositories(content, hash_size=20 if algorithm == "sha1" else 32)
    assert found is not None
    assert sorted(found) == sorted(name.encode() for name in _NAMES)


def test_flags_that_take_more_room_are_read_over(tmp_path: Path) -> None:
    here = tmp_path / "r"
    _with_links(here, version=2, algorithm="sha1")
    (here / "a0").write_text("x")
    sh("git add -N a0", here)
    content = (here / ".git/index").read_bytes()
    found = inner_repositories(content, hash_size=20)
    assert found is not None
    assert len(found) == len(_NAMES)


def test_no_index_names_none() -> None:
    assert inner_repositories(b"", hash_size=20) == ()


@given(st.binary(max_size=200))
def test_what_is_no_index_is_none_where_it_might_name_some(noise: bytes) -> None:
    content = b"\0\0\xe0\0" + noise
    assert inner_repositories(content, hash_size=20) is None


@given(st.data())
def test_a_changed_index_never_raises(data: st.DataObject) -> None:
    entry = bytes(24) + b"\0\0\xe0\0" + bytes(12) + bytes(20) + b"\0\1a" + bytes(7)
    content = bytearray(b"DIRC\0\0\0\4\0\0\0\2" + entry + entry)
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    inner_repositories(bytes(content), hash_size=20)
