"""An output as the tools of hosted models and of sandboxes have it: in one piece."""

from __future__ import annotations

from agent_exec import Output


def whole(output: Output) -> str:
    """Head and tail, with what was left out between them said."""
    if not output.dropped:
        return output.head
    where = "" if output.file is None else f"; the whole of it is in {output.file}"
    return f"{output.head}\n[{output.dropped} bytes left out{where}]\n{output.tail}"
