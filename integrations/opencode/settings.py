"""Our entries in a configuration file of opencode: put in, and taken out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agent_exec import InvalidCall
from agent_exec.integrations.json_edit import drop, put, read, replace

MARK = "// agent_exec: "
"""How every file of ours begins."""
TIMEOUT_MS = 3_600_000
"""Of a call over MCP, which the policy bounds sooner."""
_SCHEMA = "https://opencode.ai/config.json"
_PERMISSION = ("permission", "exec")
_SERVER = ("mcp", "agentexec")


def with_ours(text: str, name: str, server: Sequence[str] | None) -> str:
    """`text` with the permission of our tool, and the server that runs `server`.

    Args:
        text: Of the file; empty: there is none.
        name: Whose text it is, for messages.
        server: The words of an MCP server; None: none is wanted.

    Raises:
        InvalidCall: It is no JSON, or has something else where our entries belong.
    """
    if not text.strip():
        # opencode would add it, and the file would not be as we left it.
        text = put(text, ("$schema",), _SCHEMA, name)
    found = _content(text, name)
    permission = found.get("permission")
    if isinstance(permission, str):
        # The last one that matches counts.
        text = replace(text, ("permission",), {"*": permission, "exec": "ask"}, name)
    elif not isinstance(permission, dict) or "exec" not in permission:
        text = put(text, _PERMISSION, "ask", name)
    servers = found.get("mcp")
    if server is not None and not (isinstance(servers, dict) and "agentexec" in servers):
        entry = {
            "type": "local",
            "command": list(server),
            "enabled": True,
            "timeout": TIMEOUT_MS,
        }
        text = put(text, _SERVER, entry, name)
    return text


def take_back(text: str, before: bytes | None) -> str | None:
    """See `agent_exec.integrations.installed.TakeBack`."""
    if text.startswith(MARK):
        return None
    if text.startswith("node_modules\n"):
        return text  # a .gitignore that somebody has changed
    name = "the configuration"
    found = _content(text, name)
    if "lockfileVersion" in found:
        return text  # somebody has installed packages there
    had = _content("{}" if before is None else before.decode() or "{}", name)
    for path in (_PERMISSION, _SERVER):
        outer, key = path
        was, now = had.get(outer), found.get(outer)
        if not isinstance(now, dict) or key not in now or (isinstance(was, dict) and key in was):
            continue
        text = drop(text, path, name)
        left = _content(text, name)[outer]
        if not left and was is None:
            text = drop(text, (outer,), name)
        elif isinstance(was, str) and left == {"*": was}:
            text = replace(text, (outer,), was, name)
    rest = _content(text, name)
    return None if before is None and rest in ({}, {"$schema": _SCHEMA}) else text


def _content(text: str, name: str) -> dict[str, Any]:
    found = read(text, name) if text.strip() else {}
    if not isinstance(found, dict):
        raise InvalidCall(f"{name}: at the top is {found!r:.60}, and no object")
    return found
