"""Every command of the guide runs, in its order, and does what the guide says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_host import Home, home_in

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "claude-code.md"
COMMANDS = [
    line.removeprefix("$ ")
    for block in re.findall(r"```console\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ ")
]

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with home_in(tmp_path) as made:
        program = tmp_path / "agent-exec"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m agent_exec "$@"\n')
        program.chmod(0o755)
        subprocess.run(["git", "init", "-q", made.worktree], env=made.environ, check=True)
        yield made


def shell(home: Home, command: str) -> str:
    environ = home.environ
    environ["PATH"] = f"{home.folder}:{environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=home.worktree,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), (command, done.stderr)
    return done.stdout


def test_the_guide_from_nothing_to_nothing(home: Home) -> None:
    install, dry, really, allowed, through, asked, daemon, take_over, back, purge = COMMANDS
    assert install == "pip install agent-exec"  # the package that is tested is there already
    settings = home.worktree / ".claude" / "settings.json"
    assert "hook claude-code" in shell(home, dry)
    assert not settings.exists()
    shell(home, really)
    assert "hook claude-code" in settings.read_text()
    answer = json.loads(shell(home, allowed))["hookSpecificOutput"]
    assert answer["permissionDecision"] == "allow"
    assert shell(home, answer["updatedInput"]["command"]) == shell(home, through)
    assert "No commits yet" in shell(home, through)
    assert json.loads(shell(home, asked))["hookSpecificOutput"]["permissionDecision"] == "ask"
    assert json.loads(shell(home, daemon))["draining"] is None
    assert "version: 1" in shell(home, take_over)
    shell(home, back)
    assert not settings.parent.exists()
    assert "stopped the daemon" in shell(home, purge)
