"""The entry in Claude Code's settings: put in, and taken back."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from daemon_host import Home

AgentExec = Callable[..., CompletedProcess[str]]

OTHER = {
    "hooks": {"PreToolUse": [{"matcher": "Bash", "hooks": [{"type": "command", "command": "x"}]}]}
}


def settings(home: Home) -> Path:
    return home.worktree / ".claude" / "settings.json"


def files_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mode,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
    }


BEFORE = [
    pytest.param(None, id="no-file"),
    pytest.param(b"", id="empty"),
    pytest.param(b"{}", id="no-settings"),
    pytest.param(b'{ "model":"opus",\n\n  "env": {"A": "\\u00e4"}}\n', id="odd-layout"),
    pytest.param(json.dumps(OTHER, indent=4).encode(), id="another-hook"),
    pytest.param(json.dumps(OTHER).encode(), id="in-one-line"),
    pytest.param(b'{"hooks": {"PreToolUse": []}}\r\n', id="empty-list"),
]


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize(
    "words", [("claude-code", "uninstall"), ("uninstall",)], ids=["own", "all"]
)
def test_uninstall_leaves_every_byte_as_it_was(
    home: Home, agent_exec: AgentExec, before: bytes | None, words: tuple[str, ...]
) -> None:
    if before is not None:
        settings(home).parent.mkdir()
        settings(home).write_bytes(before)
        settings(home).chmod(0o640)
    was = files_of(home.worktree)
    assert agent_exec("claude-code", "install").returncode == 0
    (group,) = [
        group
        for group in json.loads(settings(home).read_text())["hooks"]["PreToolUse"]
        if "hook claude-code" in group["hooks"][0]["command"]
    ]
    assert group["matcher"] == "Bash"
    assert agent_exec("claude-code", "install").stdout.endswith("has the hook already\n")
    assert agent_exec(*words).returncode == 0
    assert files_of(home.worktree) == was


@pytest.mark.parametrize("before", BEFORE)
def test_of_a_file_that_was_changed_since_only_our_entry_is_taken(
    home: Home, agent_exec: AgentExec, before: bytes | None
) -> None:
    if before is not None:
        settings(home).parent.mkdir()
        settings(home).write_bytes(before)
    agent_exec("claude-code", "install")
    text = settings(home).read_text()
    changed = '{\n  "added": 1,' + text.lstrip().removeprefix("{")
    settings(home).write_text(changed)
    assert agent_exec("uninstall").returncode == 0
    left = settings(home).read_text()
    assert left.startswith('{\n  "added": 1')
    assert json.loads(left) == {"added": 1, **json.loads(before or b"{}")}


def test_an_entry_without_a_record_is_found_and_taken(home: Home, agent_exec: AgentExec) -> None:
    agent_exec("claude-code", "install")
    (home.folder / "state" / "agent_exec" / "secrets" / "installed.json").unlink()
    assert "without our entry" in agent_exec("claude-code", "uninstall").stdout
    assert json.loads(settings(home).read_text()) == {}
    assert "no hook of ours" in agent_exec("claude-code", "uninstall").stdout


def test_a_dry_run_shows_the_change_and_makes_none(home: Home, agent_exec: AgentExec) -> None:
    shown = agent_exec("claude-code", "install", "--dry-run", "--policy", "workspace").stdout
    assert "+++ " in shown
    assert "hook claude-code --policy workspace" in shown
    assert files_of(home.folder / "state") == {}
    assert files_of(home.worktree) == {}


@pytest.mark.parametrize(
    ("scope", "file"),
    [
        pytest.param("project", "worktree/.claude/settings.json", id="project"),
        pytest.param("local", "worktree/.claude/settings.local.json", id="local"),
        pytest.param("user", "home/.claude/settings.json", id="user"),
    ],
)
def test_each_scope_has_its_file(home: Home, agent_exec: AgentExec, scope: str, file: str) -> None:
    agent_exec("claude-code", "install", "--scope", scope)
    assert (home.folder / file).exists()
    agent_exec("claude-code", "uninstall", "--scope", scope)
    assert not (home.folder / file).parent.exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(("--scope", "world"), "scope is 'world'", id="scope"),
        pytest.param(("--policy", "nosuch"), "no policy 'nosuch'", id="policy"),
    ],
)
def test_what_cannot_be_installed_changes_nothing(
    home: Home, agent_exec: AgentExec, words: tuple[str, ...], says: str
) -> None:
    done = agent_exec("claude-code", "install", *words)
    assert (done.returncode, says in done.stderr) == (125, True)
    assert files_of(home.worktree) == {}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b'{"hooks": ', id="cut-off"),
        pytest.param(b"[]", id="a-list"),
        pytest.param(b'{"hooks": {"PreToolUse": {}}}', id="no-list"),
        pytest.param(b"\xff\xfe{\0}\0", id="no-utf-8"),
    ],
)
def test_settings_that_cannot_be_understood_are_left_alone(
    home: Home, agent_exec: AgentExec, content: bytes
) -> None:
    settings(home).parent.mkdir()
    settings(home).write_bytes(content)
    done = agent_exec("claude-code", "install")
    assert (done.returncode, "Traceback" in done.stderr) == (125, False)
    assert settings(home).read_bytes() == content


def test_a_link_stays_a_link(home: Home, agent_exec: AgentExec) -> None:
    real = home.folder / "dotfiles.json"
    real.write_text("{}\n")
    settings(home).parent.mkdir()
    settings(home).symlink_to(real)
    agent_exec("claude-code", "install")
    assert settings(home).is_symlink()
    assert "hook claude-code" in real.read_text()
    agent_exec("uninstall")
    assert (settings(home).is_symlink(), real.read_text()) == (True, "{}\n")


def test_rules_that_would_not_match_any_more_are_told(home: Home, agent_exec: AgentExec) -> None:
    settings(home).parent.mkdir()
    settings(home).write_text('{"permissions": {"deny": ["Bash(git push *)"]}}')
    assert "policy import" in agent_exec("claude-code", "install").stdout


def test_the_record_is_ours_alone(home: Home, agent_exec: AgentExec) -> None:
    agent_exec("claude-code", "install")
    record = home.folder / "state" / "agent_exec" / "secrets" / "installed.json"
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
