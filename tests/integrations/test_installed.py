"""The record of what installs have changed: whole or not at all, whoever writes beside us."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace

import pytest
from daemon_host import Home

from agent_exec import InvalidCall
from agent_exec.integrations import installed
from agent_exec.integrations.remove import remove_all

AgentExec = Callable[..., CompletedProcess[str]]

HOST = "claude-code"


@contextmanager
def room(n_bytes: int) -> Iterator[None]:
    """No file grows beyond `n_bytes`, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def files(home: Home) -> set[str]:
    return {str(path.relative_to(home.folder)) for path in home.folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("n_bytes", [2000, 9000])
def test_a_full_disk_leaves_everything_as_it_was(
    home: Home, agent_exec: AgentExec, n_bytes: int
) -> None:
    (home.worktree / "opencode.json").write_text("{}")
    was = files(home)
    with room(n_bytes):
        done = agent_exec("opencode", "install")
    assert (done.returncode, done.stdout) == (125, "")
    assert "cannot be written: File too large" in done.stderr
    assert files(home) == was
    assert installed.changes() == ()


def test_what_has_a_file_in_its_place_is_told(home: Home, agent_exec: AgentExec) -> None:
    folder = home.worktree / ".claude"
    folder.mkdir()
    os.mkfifo(folder / "settings.json")
    for command in ("install", "uninstall"):
        done = agent_exec("claude-code", command)
        assert (done.returncode, "settings.json is no file" in done.stderr) == (125, True)


def test_of_two_that_take_back_the_same_the_second_waits_and_does_nothing(
    home: Home, agent_exec: AgentExec
) -> None:
    assert agent_exec("claude-code", "install").returncode == 0
    (change,) = installed.changes()
    (home.worktree / ".claude" / "settings.json").write_text('{"hooks": {}}')

    def meanwhile(_text: str, _before: bytes | None) -> None:
        secrets = os.open(home.places.secrets, os.O_RDONLY)
        try:
            with pytest.raises(BlockingIOError):
                fcntl.flock(secrets, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.close(secrets)

    assert installed.undo(change, meanwhile) == f"removed {change.path}"
    assert installed.undo(change, meanwhile) is None
    assert installed.changes() == ()
    assert not (home.worktree / ".claude").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b"\xff",
        b"{}",
        json.dumps({"changes": [{**dict.fromkeys(("host", "path", "before", "after"), 5)}]}),
        json.dumps(
            {"changes": [{"host": 5, "path": "/a", "before": None, "after": "", "folders": []}]}
        ),
    ],
    ids=["deep", "no-text", "no-changes", "numbers", "no-host"],
)
def test_a_record_that_is_none(home: Home, agent_exec: AgentExec, content: bytes | str) -> None:
    record = Path(home.places.secrets) / "installed.json"
    record.parent.mkdir(parents=True, mode=0o700)
    record.write_bytes(content if isinstance(content, bytes) else content.encode())
    done = agent_exec("uninstall")
    assert (done.returncode, done.stderr.count("\n")) == (125, 1)
    assert f"{record} cannot be understood" in done.stderr


def test_a_host_of_another_release(home: Home, agent_exec: AgentExec) -> None:
    path = str(home.worktree / "a")
    installed.record_change(path, None, b"a", host="later")
    done = agent_exec("uninstall")
    assert (done.returncode, "this release knows no host 'later'" in done.stderr) == (125, True)
    assert [one.path for one in installed.changes()] == [path]


def test_an_install_that_waits_for_a_purge_is_recorded_anew(
    home: Home, agent_exec: AgentExec
) -> None:
    assert agent_exec("claude-code", "install").returncode == 0
    path = str(home.worktree / "a")
    (state,) = (home.folder / "state").iterdir()
    waits: list[int] = []

    def lock(fd: int, operation: int) -> None:
        if not waits:
            waits.append(fd)
            shutil.rmtree(state)
        fcntl.flock(fd, operation)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(installed, "fcntl", SimpleNamespace(flock=lock, LOCK_EX=fcntl.LOCK_EX))
        change = installed.record_change(path, None, b"a", host=HOST)
    assert installed.changes() == (change,)


def test_a_purge_keeps_the_record_of_an_install_that_came_meanwhile(
    home: Home, agent_exec: AgentExec
) -> None:
    assert agent_exec("claude-code", "install").returncode == 0
    purge = remove_all(purge=True)
    assert "settings.json" in next(purge)
    assert agent_exec("claude-code", "install").returncode == 0
    with pytest.raises(InvalidCall, match="has just been installed; run"):
        list(purge)
    assert len(installed.changes()) == 1
