"""A call through the MCP server: the smallest host there is."""

from __future__ import annotations

import anyio
from mcp import Client, StdioServerParameters, types


async def main() -> None:
    server = StdioServerParameters(command="agent-exec", args=["mcp", "-w", "."])
    async with Client(server) as client:
        result = await client.call_tool("exec", {"argv": ["cat", "greeting.txt"]})
        for content in result.content:
            if isinstance(content, types.TextContent):
                print(content.text)


if __name__ == "__main__":
    anyio.run(main)
