"""A model behind an OpenAI-compatible API that does what its user tells it. Loopback only.

The last message of the user is JSON: a list of tool calls, ``{"name", "arguments"}``, made at
once; or any other text, which is answered. What the tools have said is answered with "done". On
stdout: the port, then one line a request, with its messages and the names of its tools.
"""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        tools = [tool["function"]["name"] for tool in asked.get("tools", [])]
        print(json.dumps({"messages": asked["messages"], "tools": tools}), flush=True)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        for delta, finish in deltas(asked["messages"], tools):
            chunk = {
                "id": "x",
                "object": "chat.completion.chunk",
                "created": 0,
                "model": "scripted",
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
                "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
            }
            self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.write(b"data: [DONE]\n\n")

    def log_message(self, *_: object) -> None:
        """Not on stderr."""


def deltas(messages: list[dict[str, Any]], tools: list[str]) -> list[tuple[dict[str, Any], Any]]:
    """What the model says, and why it stops."""
    calls = wanted(messages[-1]) if tools else []
    if not calls:
        return [({"role": "assistant", "content": "done"}, None), ({}, "stop")]
    made = [
        {
            "index": number,
            "id": f"call_{len(messages)}_{number}",
            "type": "function",
            "function": {"name": call["name"], "arguments": json.dumps(call["arguments"])},
        }
        for number, call in enumerate(calls)
    ]
    return [({"role": "assistant", "tool_calls": made}, None), ({}, "tool_calls")]


def wanted(message: dict[str, Any]) -> list[dict[str, Any]]:
    """The calls that the user has asked for."""
    content = message.get("content")
    if message["role"] != "user" or not content:
        return []
    texts = [content] if isinstance(content, str) else [part.get("text", "") for part in content]
    for text in texts:
        try:
            found = json.loads(text)
        except ValueError:
            continue
        if isinstance(found, list):
            return found
    return []


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
