"""JSON with comments and trailing commas, as settings are written."""

from __future__ import annotations

import json
import re

from agent_exec.errors import PolicyError
from agent_exec.regex import regex

_PARTS = regex(
    r'(?P<string>"(?:[^"\\]|\\.)*")|(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<comma>,(?=\s*[}\]]))',
    re.DOTALL,
)


def read_json(text: str, name: str) -> object:
    """The content.

    Raises:
        PolicyError: With line and column of what is wrong.
    """
    # Twice: a comma may stand before a comment before the bracket.
    plain = _PARTS.sub(_kept, _PARTS.sub(_kept, text))
    try:
        return json.loads(plain)
    except json.JSONDecodeError as error:
        raise PolicyError(f"{name}:{error.lineno}:{error.colno}: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise PolicyError(f"{name}: no JSON: {error}") from None


def _kept(match: re.Match[str]) -> str:
    if match.lastgroup == "string":
        return match.group()
    # Lines keep their numbers.
    return re.sub(r"[^\n]", " ", match.group())
