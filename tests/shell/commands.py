"""Commands as agents and people write them, of every kind: for comparing readings of them."""

from __future__ import annotations

COMMANDS = ("ls",)
