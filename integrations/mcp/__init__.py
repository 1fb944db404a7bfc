"""A server for every MCP host: ``agent-exec mcp``."""
