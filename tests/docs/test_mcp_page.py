"""The guide for MCP hosts works as it stands: its commands in their order, and its settings."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import anyio
import httpx2
import pytest
from guide import DOCS, GUIDES, Reader, commands_of, is_extra
from mcp import Client, StdioServerParameters, types
from mcp.client.streamable_http import streamable_http_client

PAGE = (GUIDES / "mcp.md").read_text("utf-8")
INSTALL, HELP, WORKTREE, TRY, HTTP = commands_of(PAGE)
STDIO_HOST, HTTP_HOST = [
    json.loads(shown)["mcpServers"]["agentexec"]
    for shown in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
]

pytestmark = pytest.mark.filterwarnings("default")


def test_what_it_installs_is_an_extra_of_this_package() -> None:
    assert INSTALL == "pip install 'agent-exec[mcp]'"
    assert is_extra("mcp")


def test_trying_it_gives_what_the_guide_shows(reader: Reader) -> None:
    folder = reader.home.folder
    assert "MCP host" in reader.shell(HELP)
    reader.shell(WORKTREE, folder)
    shutil.copy(DOCS / "examples" / "mcp_client.py", folder / "try-mcp")
    (shown,) = re.findall(rf"^\$ {re.escape(TRY)}\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
    told = reader.shell(TRY, folder / "try-mcp")
    assert re.sub(r"\d+ ms", "N ms", told) == re.sub(r"\d+ ms", "N ms", shown)


async def said(client: Client) -> str:
    async with client:
        result = await client.call_tool("exec", {"argv": ["git", "status"]})
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text


def test_the_settings_for_stdio_give_a_working_call(reader: Reader) -> None:
    parameters = StdioServerParameters(
        command=STDIO_HOST["command"],
        args=STDIO_HOST["args"],
        cwd=reader.home.worktree,
        env=reader.environ,
    )
    assert anyio.run(said, Client(parameters)).startswith("exit status 0")


def test_the_settings_for_http_give_a_working_call(reader: Reader) -> None:
    port = str(re.findall(r":(\d+)/", HTTP_HOST["url"])[0])
    assert port in HTTP
    # Whether that port is free here is not for a guide to say.
    server = subprocess.Popen(
        ["bash", "-c", f"exec {HTTP.replace(port, '0')}"],
        cwd=reader.home.worktree,
        env=reader.environ,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    try:
        url = server.stderr.readline().rpartition(" ")[2].strip()
        file = server.stderr.readline().rpartition(" ")[2].strip()
        assert url.startswith("http://127.0.0.1:")
        token = Path(file).read_text().strip()
        headers = {
            name: value.replace("TOKEN", token) for name, value in HTTP_HOST["headers"].items()
        }

        async def main() -> str:
            async with httpx2.AsyncClient(headers=headers, timeout=50) as http:
                return await said(Client(streamable_http_client(url, http_client=http)))

        assert anyio.run(main).startswith("exit status 0")
    finally:
        server.terminate()
        server.wait(30)
        server.stderr.close()
