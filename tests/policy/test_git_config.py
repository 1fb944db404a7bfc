"""The reader of configuration files against git itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agent_exec.policy.git_config import read_config

_PIECES = st.sampled_from(
    [
        *("[core]", "[a.b]", '[a "b"]', '[A "B c"]', '[a "b\\"c"]', '[a "b\\\\"]', "[a-b]", "[ a]"),
        *('[a"b"]', '[a "b" ]', "[]", "[a", "]", '"', "\\", "\\\\", '\\"', "\\n", "\\x", "\\\n"),
        *("key", "Key-2", "k", "2k", "_k", "=", " = ", "value", "a b", " ", "\t", "\n", "\r\n"),
        *("\r", "#", ";", " # c", "\n\n", "[include]", "true", "\ufeff", "é", "\v", "\f", "'"),
    ]
)


def _by_git(text: str, folder: Path) -> tuple[tuple[str, str], ...] | None:
    file = folder / "config"
    file.write_bytes(text.encode())
    done = subprocess.run(
        ["git", "config", "--no-includes", "--file", str(file), "--list", "-z"],
        capture_output=True,
        cwd="/",
        env={"PATH": "/usr/bin:/bin", "HOME": "/nothing"},
        check=False,
    )
    if done.returncode != 0:
        return None
    entries = done.stdout.decode().split("\0")[:-1]
    return tuple([(each.partition("\n")[0], each.partition("\n")[2]) for each in entries])


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_PIECES, max_size=14).map("".join))
@example('[a "b"]k=v;c\n[core] fsmonitor = "x y"z # c\n')
@example("[a]\nk = a \\\n b \\t\n K2\n")
@example("[a] k = v\r\nl = w\r\n")
@example('[a]k="a;b" ;c')
@example("[a]k=a\rb")
@example("[a]k=a\tb")
@example('[a]k="a\tb"\t')
def test_nothing_that_git_reads_is_read_otherwise(tmp_path: Path, text: str) -> None:
    ours, gits = read_config(text), _by_git(text, tmp_path)
    # What we do not understand is a problem; what git does not understand ends it.
    if ours is not None and gits is not None:
        assert ours == gits


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[core]\n\tbare = false\n\tlogAllRefUpdates = true\n", id="plain"),
        pytest.param('[remote "origin"]\n\turl = https://x/y.git # c\n', id="sub-section"),
        pytest.param('[branch "a/b.c"]\n\tmerge = refs/heads/x\n', id="dots-in-a-sub-section"),
        pytest.param('[Filter "LFS"]\n\tClean = git-lfs clean -- %f\n', id="case"),
        pytest.param("[a.Bc]\n\tx = y\n", id="old-sub-section"),
        pytest.param("[a]\n\tb\n\tc =\n", id="without-value"),
        pytest.param('[a]\n\tb = " x " y\\\n  z\n', id="quotes-and-continuation"),
        pytest.param("; c\n# d\n\n[a]b=c\n", id="comments"),
        pytest.param('[a]\r\n\tb = c\r\n[d "e"]\r\n\tf = g', id="carriage-returns"),
        pytest.param("", id="empty"),
    ],
)
def test_what_git_writes_is_understood(tmp_path: Path, text: str) -> None:
    assert read_config(text) == _by_git(text, tmp_path) is not None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('[a "b\0c"]\nd = e\n', id="nul"),
        pytest.param("[a\n", id="open-section"),
        pytest.param("b = c\n", id="no-section"),
        pytest.param('[a]\nb = "c\n', id="open-quote"),
        pytest.param("[a]\nb = \\q\n", id="unknown-escape"),
        pytest.param("[a]\n2 = c\n", id="digit"),
    ],
)
def test_what_is_no_configuration_is_none(text: str) -> None:
    assert read_config(text) is None
