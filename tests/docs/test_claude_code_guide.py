"""Every command of the guide runs, in its order, and does what the guide says."""

from __future__ import annotations

import json

import pytest
from guide import GUIDES, Reader, commands_of

COMMANDS = commands_of((GUIDES / "claude-code.md").read_text("utf-8"))

pytestmark = pytest.mark.timeout(60)


def test_the_guide_from_nothing_to_nothing(reader: Reader) -> None:
    install, dry, really, allowed, through, asked, daemon, take_over, back, purge = COMMANDS
    shell = reader.shell
    assert install == "pip install agent-exec"  # the package that is tested is there already
    settings = reader.home.worktree / ".claude" / "settings.json"
    assert "hook claude-code" in shell(dry)
    assert not settings.exists()
    shell(really)
    assert "hook claude-code" in settings.read_text()
    answer = json.loads(shell(allowed))["hookSpecificOutput"]
    assert answer["permissionDecision"] == "allow"
    said = shell(through)
    assert "No commits yet" in said
    assert shell(answer["updatedInput"]["command"]) == said
    assert json.loads(shell(asked))["hookSpecificOutput"]["permissionDecision"] == "ask"
    assert json.loads(shell(daemon))["draining"] is None
    assert "version: 1" in shell(take_over)
    shell(back)
    assert not settings.parent.exists()
    assert "stopped the daemon" in shell(purge)
