"""What is installed for opencode: put in, and taken back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from daemon_host import Home

from agent_exec import InvalidCall
from agent_exec.integrations import installed
from agent_exec.integrations.json_edit import read
from agent_exec.schema.definition import definitions

AgentExec = Callable[..., CompletedProcess[str]]

JSONC = b"""{
  // which model
  "model": "some/model", /* the best */
  "permission": {
    "edit": "ask", // always
  },
}
"""
BEFORE = [
    pytest.param({}, id="nothing"),
    pytest.param({"opencode.json": b""}, id="empty"),
    pytest.param({"opencode.json": b"{}"}, id="no-settings"),
    pytest.param({"opencode.json": b'{"model":"a","permission":"allow"}'}, id="permission-text"),
    pytest.param({"opencode.json": b'{"permission":{"bash":"ask"},"mcp":{}}\r\n'}, id="one-line"),
    pytest.param({"opencode.jsonc": JSONC}, id="comments"),
    pytest.param({".opencode/opencode.json": b"{\n}\n"}, id="in-the-folder"),
    pytest.param(
        {".opencode/package.json": b"{}", ".opencode/tools/mine.js": b"export default 1\n"},
        id="tools-of-others",
    ),
]


def lay(home: Home, files: dict[str, bytes]) -> None:
    for name, text in files.items():
        path = home.worktree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)


def files_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        str(path.relative_to(folder)): (
            path.stat().st_mode,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
    }


def configuration(home: Home) -> Path:
    (found,) = [
        *home.worktree.glob("opencode.json*"),
        *home.worktree.glob(".opencode/opencode.json*"),
    ][:1]
    return found


def setup_of(home: Home) -> Any:
    text = (home.worktree / ".opencode" / "agent_exec" / "setup.js").read_text()
    return json.loads(text.partition("export default ")[2])


def content(path: Path) -> Any:
    text = path.read_text()
    return read(text, path.name) if text else {}


@pytest.mark.parametrize("before", BEFORE)
def test_uninstall_leaves_every_byte_as_it_was(
    home: Home, agent_exec: AgentExec, before: dict[str, bytes]
) -> None:
    lay(home, before)
    was = files_of(home.worktree)
    for options, back in (
        ((), ("opencode", "uninstall")),
        (("--mcp", "--shell", "replace"), ("uninstall",)),
    ):
        assert agent_exec("opencode", "install", *options).returncode == 0
        assert content(configuration(home))["permission"]["exec"] == "ask"
        assert agent_exec("opencode", "install", *options).stdout == "it is there already\n"
        assert agent_exec(*back).returncode == 0
        assert files_of(home.worktree) == was


@pytest.mark.parametrize("options", [("--mcp",)], ids=["mcp"])
@pytest.mark.parametrize("before", BEFORE)
def test_of_a_file_that_was_changed_since_only_our_entries_are_taken(
    home: Home, agent_exec: AgentExec, before: dict[str, bytes], options: tuple[str, ...]
) -> None:
    lay(home, before)
    agent_exec("opencode", "install", *options)
    path = configuration(home)
    text = path.read_text()
    at = text.index("{") + 1
    path.write_text(f'{text[:at]} "added": 1, // by me\n{text[at:]}')
    assert agent_exec("uninstall").returncode == 0
    was = next((one for name, one in before.items() if "opencode.json" in name), b"").decode()
    left = content(path)
    assert left.pop("added") == 1
    assert left == (read(was, "before") if was else {"$schema": left.get("$schema")})


def test_of_comments_not_one_is_lost(home: Home, agent_exec: AgentExec) -> None:
    lay(home, {"opencode.jsonc": JSONC})
    agent_exec("opencode", "install", "--mcp")
    path = home.worktree / "opencode.jsonc"
    assert b"// which model" in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(b"some/model", b"another/model"))
    agent_exec("opencode", "uninstall")
    assert path.read_bytes() == JSONC.replace(b"some/model", b"another/model")


def test_a_text_for_all_permissions_is_one_again(home: Home, agent_exec: AgentExec) -> None:
    lay(home, {"opencode.json": b'{"permission": "allow", "model": "a"}'})
    agent_exec("opencode", "install")
    path = configuration(home)
    assert content(path)["permission"] == {"*": "allow", "exec": "ask"}
    path.write_text(path.read_text().replace('"a"', '"b"'))
    agent_exec("opencode", "uninstall")
    assert path.read_text() == '{"permission": "allow", "model": "b"}'


def test_what_the_user_has_said_of_the_tool_stays(home: Home, agent_exec: AgentExec) -> None:
    lay(home, {"opencode.json": b'{"permission": {"exec": {"git push*": "deny"}}}'})
    was = files_of(home.worktree)["opencode.json"]
    agent_exec("opencode", "install")
    assert files_of(home.worktree)["opencode.json"] == was
    (home.worktree / "opencode.json").write_bytes(was[1] + b"\n")
    agent_exec("opencode", "uninstall")
    assert (home.worktree / "opencode.json").read_bytes() == was[1] + b"\n"


@pytest.mark.parametrize(
    ("options", "there", "missing"),
    [
        pytest.param((), ["tools/exec.js", "plugins/agent_exec.js"], ["tools/bash.js"], id="guard"),
        pytest.param(
            ("--shell", "replace"),
            ["tools/exec.js", "tools/bash.js", "plugins/agent_exec.js"],
            [],
            id="replace",
        ),
        pytest.param(
            ("--shell", "leave"),
            ["tools/exec.js", "plugins/agent_exec.js"],
            ["tools/bash.js"],
            id="leave",
        ),
        pytest.param(("--mcp",), ["plugins/agent_exec.js"], ["tools/exec.js"], id="mcp"),
    ],
)
def test_each_choice_has_its_files(
    home: Home,
    agent_exec: AgentExec,
    options: tuple[str, ...],
    there: list[str],
    missing: list[str],
) -> None:
    agent_exec("opencode", "install", "--shell", "leave")  # another choice takes its place
    assert agent_exec("opencode", "install", *options).returncode == 0
    folder = home.worktree / ".opencode"
    assert [name for name in there if not (folder / name).exists()] == []
    assert [name for name in missing if (folder / name).exists()] == []
    assert setup_of(home)["guard"] is ("--shell" not in options)
    assert ("mcp" in content(configuration(home))) is ("--mcp" in options)
    agent_exec("uninstall")
    assert files_of(home.worktree) == {}


def test_the_tool_has_the_arguments_of_the_schema(home: Home, agent_exec: AgentExec) -> None:
    agent_exec("opencode", "install", "--policy", "./mine.yaml")
    done = agent_exec("opencode", "install", "--policy", "workspace", "-w", ".")
    assert done.returncode == 0
    setup = setup_of(home)
    for tool in definitions("mcp"):
        served = setup["tools"][tool["name"]]
        assert served["args"] == tool["inputSchema"]["properties"]
        assert served["description"] == tool["description"]
    assert (setup["policy"], setup["worktree"]) == ("workspace", str(home.worktree))


def test_it_can_be_for_all_projects(home: Home, agent_exec: AgentExec) -> None:
    agent_exec("opencode", "install", "--global")
    folder = home.folder / "home" / ".config" / "opencode"
    assert (folder / "tools" / "exec.js").exists()
    assert content(folder / "opencode.json")["permission"] == {"exec": "ask"}
    assert files_of(home.worktree) == {}
    agent_exec("opencode", "uninstall")
    assert (folder / "tools" / "exec.js").exists()
    agent_exec("opencode", "uninstall", "--global")
    assert files_of(home.folder / "home") == {}


def test_offline_keeps_opencode_from_the_registry(home: Home, agent_exec: AgentExec) -> None:
    user = home.folder / "home" / ".config" / "opencode"
    other = home.folder / "other"
    other.mkdir()
    agent_exec("opencode", "install", "--offline")
    agent_exec("opencode", "install", "--offline", "--project", str(other))
    assert "@opencode-ai/plugin" in (user / "package-lock.json").read_text()
    assert list((user / "node_modules").iterdir()) != []
    agent_exec("opencode", "uninstall")
    assert (user / "package-lock.json").exists()  # the other project wants it
    agent_exec("opencode", "uninstall", "--project", str(other))
    assert files_of(home.folder / "home") == {}


def test_a_dry_run_shows_the_changes_and_makes_none(home: Home, agent_exec: AgentExec) -> None:
    shown = agent_exec("opencode", "install", "--dry-run").stdout
    assert shown.count("+++ ") == 10
    assert files_of(home.worktree) == {}
    assert files_of(home.folder / "state") == {}


@pytest.mark.parametrize(
    ("before", "words", "says"),
    [
        pytest.param({}, ("--shell", "none"), "shell is 'none'", id="shell"),
        pytest.param({}, ("--policy", "nosuch"), "no policy 'nosuch'", id="policy"),
        pytest.param({}, ("--project", "nowhere"), "no directory", id="project"),
        pytest.param(
            {".opencode/tools/exec.js": b"export default {}\n"}, (), "is not ours", id="a-tool"
        ),
        pytest.param({"opencode.json": b'{"model": '}, (), "no JSON", id="cut-off"),
        pytest.param({"opencode.json": b"[]"}, (), "no object", id="a-list"),
        pytest.param({"opencode.json": b'{"permission": 3}'}, (), "not an object", id="a-number"),
        pytest.param({"opencode.json": b"\xff\xfe"}, (), "no UTF-8", id="no-utf-8"),
    ],
)
def test_what_cannot_be_installed_changes_nothing(
    home: Home,
    agent_exec: AgentExec,
    before: dict[str, bytes],
    words: tuple[str, ...],
    says: str,
) -> None:
    lay(home, before)
    was = files_of(home.worktree)
    done = agent_exec("opencode", "install", *words)
    assert (done.returncode, says in done.stderr) == (125, True), done.stderr
    assert files_of(home.worktree) == was


def test_a_failure_half_way_takes_back_what_was_done(
    home: Home, agent_exec: AgentExec, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, written = installed._write, []

    def full(path: str, *content: Any) -> None:
        written.append(path)
        if path.endswith("opencode.json"):
            raise InvalidCall(f"{path} cannot be written: No space left on device")
        write(path, *content)

    monkeypatch.setattr(installed, "_write", full)
    done = agent_exec("opencode", "install")
    assert (done.returncode, "No space left" in done.stderr) == (125, True)
    assert len(written) > 3
    assert files_of(home.worktree) == {}
    assert installed.changes() == ()


def test_files_without_a_record_are_found_and_taken(home: Home, agent_exec: AgentExec) -> None:
    agent_exec("opencode", "install")
    (home.folder / "state" / "agent_exec" / "secrets" / "installed.json").unlink()
    agent_exec("opencode", "uninstall")
    left = files_of(home.worktree)
    assert [name for name in left if name.endswith(".js") or "node_modules" in name] == []
    assert json.loads((home.worktree / "opencode.json").read_text()).get("permission") is None
    assert "nothing of ours" in agent_exec("opencode", "uninstall").stdout


def test_a_file_of_ours_goes_also_when_it_was_changed(home: Home, agent_exec: AgentExec) -> None:
    agent_exec("opencode", "install")
    tool = home.worktree / ".opencode" / "tools" / "exec.js"
    tool.write_text(tool.read_text() + "// more\n")
    lock = home.worktree / ".opencode" / "package-lock.json"
    lock.write_text('{"lockfileVersion": 3, "packages": {"": {}, "node_modules/x": {}}}')
    agent_exec("uninstall")
    assert not tool.exists()
    assert lock.exists()  # somebody has installed packages


def test_no_file_can_be_run_by_others_or_is_a_program(home: Home, agent_exec: AgentExec) -> None:
    agent_exec("opencode", "install")
    for path in home.worktree.rglob("*"):
        assert path.is_dir() or path.stat().st_mode & 0o133 == 0, path
        assert path.stat().st_uid == os.geteuid()
