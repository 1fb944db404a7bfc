"""Every command of the guide runs, in its order, and does what the guide says.

What it says of opencode itself is in tests/integrations/test_opencode.py.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from daemon_host import Home, home_in

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "guides" / "opencode.md").read_text("utf-8")
COMMANDS = [
    line.removeprefix("$ ")
    for block in re.findall(r"```console\n(.*?)```", GUIDE, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ ")
]


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
    install, dry, really, allowed, asked, log, take_over, extra, help_, back, purge = COMMANDS
    assert install == "pip install agent-exec"  # the package that is tested is there already
    settings, folder = home.worktree / "opencode.json", home.worktree / ".opencode"
    assert '"exec": "ask"' in shell(home, dry)
    assert not settings.exists()
    shell(home, really)
    assert json.loads(settings.read_text())["permission"] == {"exec": "ask"}
    assert "allow" in shell(home, allowed)
    assert json.loads(shell(home, asked))["verdict"] == "ask"
    subprocess.run(
        [home.folder / "agent-exec", "run", "--", "git", "status"],
        cwd=home.worktree,
        env=home.environ,
        check=True,
        capture_output=True,
    )
    assert "git status" in shell(home, log)
    assert "version: 1" in shell(home, take_over)
    assert extra == "pip install 'agent-exec[opencode]'"
    assert "--leave" in shell(home, help_)
    shell(home, back)
    assert not settings.exists()
    assert not folder.exists()
    shell(home, purge)


def test_what_it_installs_is_an_extra_of_this_package() -> None:
    project = (DOCS.parent / "pyproject.toml").read_text("utf-8")
    assert re.search(r"^opencode = \[", project, re.MULTILINE)
