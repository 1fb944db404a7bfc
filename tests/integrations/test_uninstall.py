"""After ``agent-exec uninstall`` hosts' files are as before; with ``--purge`` nothing is left."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from daemon_host import Home
from realproc import is_alive, wait_until

from agent_exec import InvalidCall
from agent_exec.integrations.remove import remove_all

AgentExec = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.timeout(90)

SETTINGS = {
    "worktree/.claude/settings.json": b'{"model": "a"}',
    "worktree/opencode.jsonc": b'{"model": "a", // mine\n}\n',
    "home/.config/opencode/opencode.json": b"{}\n",
}
INSTALLS = [
    ("claude-code", "install"),
    ("claude-code", "install", "--scope", "local", "--start-daemon"),
    ("claude-code", "install", "--scope", "user"),
    ("opencode", "install", "--offline"),
    ("opencode", "install", "--global", "--shell", "replace", "--mcp"),
]


def files_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
    }


def used(home: Home, agent_exec: AgentExec) -> None:
    """Everything is installed, and has left something behind."""
    for words in INSTALLS:
        done = agent_exec(*words)
        assert done.returncode == 0, done.stderr
    home.cli("daemon")
    event = json.dumps({"tool_name": "Bash", "tool_input": {"command": "git status"}})
    agent_exec("hook", "claude-code", input=event.encode())
    with home.connect() as client:
        where: dict[str, Any] = {"worktree": str(home.worktree), "policy": "default"}
        client.request("call", arguments={"argv": ["seq", "100000"]}, **where)
        decided = client.request("decide", arguments={"argv": ["mkdir", "-p", "."]}, **where)
        client.request("approver", asked=False)
        client.request("answer", decision=decided["decision"], answer={"reply": "always"}, **where)
    state = home.folder / "state" / "agent_exec"
    for kind in ("approvals", "audit", "outputs", "secrets"):
        assert any((state / kind).iterdir()), kind


@pytest.fixture
def settled(home: Home) -> dict[str, tuple[int, bytes]]:
    """The home, with settings of hosts, as it was before us."""
    for name, content in SETTINGS.items():
        path = home.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return files_of(home.folder)


def test_purge_leaves_nothing_of_ours(
    home: Home, agent_exec: AgentExec, settled: dict[str, tuple[int, bytes]]
) -> None:
    used(home, agent_exec)
    (daemon,) = home.running()
    done = home.cli("uninstall", "--purge")
    assert (done.returncode, "stopped the daemon" in done.stdout) == (0, True), done.stderr
    wait_until(lambda: not is_alive(daemon))
    assert files_of(home.folder) == settled


def test_without_purge_the_state_stays(
    home: Home, agent_exec: AgentExec, settled: dict[str, tuple[int, bytes]]
) -> None:
    used(home, agent_exec)
    assert agent_exec("uninstall").returncode == 0
    left = files_of(home.folder)
    ours = {name for name in left if name.startswith(("state/agent_exec", "run/agent_exec"))}
    assert {name: one for name, one in left.items() if name not in ours} == settled
    assert ours


def test_purge_bears_that_somebody_else_removes_the_same(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp = home.folder / "run" / "agent_exec" / "tmp"
    tmp.parent.mkdir(mode=0o700)
    (tmp / "1-a").mkdir(parents=True)
    remove = os.rmdir

    def removed_before(path: str, *, dir_fd: int | None = None) -> None:
        remove(path, dir_fd=dir_fd)
        remove(path, dir_fd=dir_fd)

    for name, value in home.environ.items():
        monkeypatch.setenv(name, value)
    with monkeypatch.context() as patched:
        patched.setattr(os, "rmdir", removed_before)
        said = list(remove_all(purge=True))
    assert said == [f"removed {tmp.parent}"]
    assert not tmp.parent.exists()


def test_purge_says_what_it_could_not_remove(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = home.folder / "run" / "agent_exec"
    ours.mkdir()

    def busy(path: str, *, dir_fd: int | None = None) -> None:
        raise OSError(errno.ENOTEMPTY, "Directory not empty", path)

    for name, value in home.environ.items():
        monkeypatch.setenv(name, value)
    with monkeypatch.context() as patched:
        patched.setattr(os, "rmdir", busy)
        with pytest.raises(InvalidCall, match=f"{ours} could not be removed: .*not empty.*again"):
            list(remove_all(purge=True))
    assert ours.exists()


def test_purge_without_state_and_twice_is_nothing(home: Home, agent_exec: AgentExec) -> None:
    was = files_of(home.folder)
    for _ in range(2):
        assert agent_exec("uninstall", "--purge").stdout == ""
        assert files_of(home.folder) == was


def test_what_cannot_be_taken_back_is_told_and_nothing_is_purged(
    home: Home, agent_exec: AgentExec
) -> None:
    assert agent_exec("claude-code", "install").returncode == 0
    assert agent_exec("opencode", "install").returncode == 0
    settings = home.worktree / ".claude" / "settings.json"
    settings.write_bytes(b"\xff")
    done = agent_exec("uninstall", "--purge")
    assert (done.returncode, str(settings) in done.stderr) == (125, True)
    assert not (home.worktree / "opencode.json").exists()
    assert (home.folder / "state" / "agent_exec" / "secrets" / "installed.json").exists()


def test_a_daemon_with_a_call_that_goes_on_is_waited_for(home: Home) -> None:
    home.cli("daemon")
    with home.connect() as client:
        where = {"worktree": str(home.worktree), "policy": "open"}
        script = "touch begun; until [ -e go ]; do :; done"
        client.send("call", arguments={"argv": ["sh", "-c", script]}, **where)
        wait_until((home.worktree / "begun").exists)
        purge = subprocess.Popen(
            [sys.executable, "-P", "-m", "agent_exec", "uninstall", "--purge"],
            cwd=home.worktree,
            env=home.environ,
            stdout=subprocess.PIPE,
            text=True,
        )
        wait_until(lambda: not os.path.exists(home.places.socket))
        assert os.path.exists(home.places.token)
        (home.worktree / "go").touch()
        assert client.receive()["ok"]["status"] == 0
    said, _ = purge.communicate(timeout=30)
    assert "stopped the daemon" in said
    assert not os.path.exists(home.folder / "state" / "agent_exec")
