"""Every command of the guide runs, in its order, and does what the guide says.

What it says of opencode itself is in tests/integrations/test_opencode.py.
"""

from __future__ import annotations

import json

from guide import GUIDES, Reader, commands_of, is_extra

COMMANDS = commands_of((GUIDES / "opencode.md").read_text("utf-8"))


def test_the_guide_from_nothing_to_nothing(reader: Reader) -> None:
    install, dry, really, allowed, asked, log, take_over, extra, help_, back, purge = COMMANDS
    shell, worktree = reader.shell, reader.home.worktree
    assert install == "pip install agent-exec"  # the package that is tested is there already
    settings, folder = worktree / "opencode.json", worktree / ".opencode"
    assert '"exec": "ask"' in shell(dry)
    assert not settings.exists()
    shell(really)
    assert json.loads(settings.read_text())["permission"] == {"exec": "ask"}
    assert "allow" in shell(allowed)
    assert json.loads(shell(asked))["verdict"] == "ask"
    shell("agent-exec run -- git status")  # as the model's call would
    assert "git status" in shell(log)
    assert "version: 1" in shell(take_over)
    assert extra == "pip install 'agent-exec[opencode]'"
    assert is_extra("opencode")
    assert "--leave" in shell(help_)
    shell(back)
    assert not settings.exists()
    assert not folder.exists()
    shell(purge)
