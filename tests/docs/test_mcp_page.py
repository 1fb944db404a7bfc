"""The guide for MCP hosts works as it stands."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters, types

PAGE = (Path(__file__).parents[2] / "docs" / "guides" / "mcp.md").read_text("utf-8")

pytestmark = pytest.mark.filterwarnings("default")


def test_the_configuration_of_the_guide_gives_a_working_call(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    server = json.loads(shown)["mcpServers"]["agentexec"]
    assert server["command"] == "agent-exec"
    parameters = StdioServerParameters(
        command=sys.executable, args=["-m", "agent_exec", *server["args"]], cwd=tmp_path
    )
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)

    async def main() -> types.CallToolResult:
        async with Client(parameters) as client:
            return await client.call_tool("exec", {"argv": ["git", "status"]})

    (content,) = anyio.run(main).content
    assert isinstance(content, types.TextContent)
    assert content.text.startswith("exit status 0")


def test_the_commands_of_the_guide_are_commands() -> None:
    for line in re.findall(r"^\$ agent-exec (.*)$", PAGE, re.MULTILINE):
        words = [word for word in line.split() if word != "--help"]
        done = subprocess.run(
            [sys.executable, "-m", "agent_exec", *words, "--help"], capture_output=True, check=True
        )
        assert b"MCP host" in done.stdout
