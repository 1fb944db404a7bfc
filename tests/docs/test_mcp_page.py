"""The guide for MCP hosts works as it stands: its commands in their order, and its settings."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import httpx2
import pytest
from daemon_host import Home, home_in
from mcp import Client, StdioServerParameters, types
from mcp.client.streamable_http import streamable_http_client

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "guides" / "mcp.md").read_text("utf-8")
INSTALL, HELP, WORKTREE, TRY, HTTP = re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)
STDIO_HOST, HTTP_HOST = [
    json.loads(shown)["mcpServers"]["agentexec"]
    for shown in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
]

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    with home_in(tmp_path) as made:
        # A host hands on few variables, and that of a checkout is not among them.
        path = shlex.quote(made.environ.get("PYTHONPATH", ""))
        for name, words in (("agent-exec", "-P -m agent_exec"), ("python", "")):
            program = tmp_path / name
            program.write_text(f'#!/bin/sh\nPYTHONPATH={path} exec {sys.executable} {words} "$@"\n')
            program.chmod(0o755)
        (tmp_path / "home").mkdir(exist_ok=True)
        yield made


def environ(home: Home) -> dict[str, str]:
    return home.environ | {"PATH": f"{home.folder}:{os.environ['PATH']}"}


def shell(home: Home, command: str) -> str:
    done = subprocess.run(
        ["bash", "-ec", command],
        cwd=home.folder,
        env=environ(home),
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    return done.stdout


def test_what_it_installs_is_an_extra_of_this_package() -> None:
    project = (DOCS.parent / "pyproject.toml").read_text("utf-8")
    assert INSTALL == "pip install 'agent-exec[mcp]'"
    assert re.search(r"^mcp = \[", project, re.MULTILINE)


def test_trying_it_gives_what_the_guide_shows(home: Home) -> None:
    assert "MCP host" in shell(home, HELP)
    shell(home, WORKTREE)
    shutil.copy(DOCS / "examples" / "mcp_client.py", home.folder / "try-mcp")
    (shown,) = re.findall(rf"^\$ {re.escape(TRY)}\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
    told = shell(home, f"cd try-mcp && {TRY}")
    assert re.sub(r"\d+ ms", "N ms", told) == re.sub(r"\d+ ms", "N ms", shown)


async def said(client: Client) -> str:
    async with client:
        result = await client.call_tool("exec", {"argv": ["git", "status"]})
    (content,) = result.content
    assert isinstance(content, types.TextContent)
    return content.text


def test_the_settings_for_stdio_give_a_working_call(home: Home) -> None:
    subprocess.run(["git", "init", "-q", home.worktree], check=True)
    parameters = StdioServerParameters(
        command=STDIO_HOST["command"],
        args=STDIO_HOST["args"],
        cwd=home.worktree,
        env=environ(home),
    )
    assert anyio.run(said, Client(parameters)).startswith("exit status 0")


def test_the_settings_for_http_give_a_working_call(home: Home) -> None:
    subprocess.run(["git", "init", "-q", home.worktree], check=True)
    port = str(re.findall(r":(\d+)/", HTTP_HOST["url"])[0])
    assert port in HTTP
    # Whether that port is free here is not for a guide to say.
    server = subprocess.Popen(
        ["bash", "-c", f"exec {HTTP.replace(port, '0')}"],
        cwd=home.worktree,
        env=environ(home),
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
