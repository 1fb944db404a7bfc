"""Take secrets out of what a model reads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agent_exec.regex import regex

REDACTED = "[redacted]"
# Shorter ones are words that stand everywhere: "true", "1000", "/root".
_SHORTEST_SECRET = 8
_SHORTEST_PART = 6
_NAMES_NO_SECRET = frozenset(
    {
        "PATH", "PWD", "OLDPWD", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "HOSTNAME",
        "EDITOR", "VISUAL", "PAGER", "DISPLAY", "TMPDIR", "MAIL", "MANPATH", "TZ",
    }
)  # fmt: skip
_ADDRESS = regex(r"[a-z][a-z0-9+.-]*:[/.]", re.IGNORECASE)
_NUMBERS = regex(r"[0-9.,:;x_-]+|[a-z]{2}_[A-Z]{2}\.[A-Za-z0-9-]+")
_NAMES_A_SECRET = regex(
    r"key|token|secret|passw|passphrase|credential|auth|cookie|dsn", re.IGNORECASE
)


class Redactor:
    """Replaces secrets by `REDACTED`. Safe from any thread.

    Args:
        patterns: Regular expressions of a policy; what they match is replaced.
        secrets: Values that are replaced wherever they stand.
    """

    def __init__(self, patterns: Sequence[str], secrets: Iterable[str]) -> None:
        self._patterns = tuple(map(re.compile, patterns))
        # The longest first: one may be part of another.
        self._secrets = sorted({each for each in secrets if each}, key=len, reverse=True)
        self._values = (
            re.compile("|".join(map(re.escape, self._secrets))) if self._secrets else None
        )

        written = {json.dumps(each)[1:-1] for each in self._secrets}
        self._in_json = re.compile("|".join(map(re.escape, written))) if written else None

    def may_touch(self, line: str) -> bool:
        """May anything in this JSON have to be replaced? A quick look."""
        if self._patterns:
            return True
        return self._in_json is not None and self._in_json.search(line) is not None

    def __call__(self, text: str) -> str:
        """`text` without secrets."""
        if self._values is not None:
            # Whether any is there is told in a small part of the time that replacing takes.
            for each in self._secrets:
                if each in text:
                    text = self._values.sub(REDACTED, text)
                    break
        for pattern in self._patterns:
            text = pattern.sub(REDACTED, text)
        return text

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Where in `text` secrets stand: begins and ends, in order, none touching another."""
        searches = [*self._patterns] if self._values is None else [self._values, *self._patterns]
        found = sorted(
            match.span() for each in searches for match in each.finditer(text) if match[0]
        )
        spans: list[tuple[int, int]] = []
        for begin, end in found:
            if spans and begin <= spans[-1][1]:
                spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
            else:
                spans.append((begin, end))
        return spans

    def begun(self, text: str) -> int:
        """How many characters at the end of `text` may be the beginning of a secret value."""
        cut = max((_overlap(text, each) for each in self._secrets), default=0)
        whole = any(text.endswith(each) for each in self._secrets)
        return 0 if whole or cut < _SHORTEST_PART else cut

    def head(self, text: str) -> str:
        """The same of a text that was cut at its end: perhaps within a secret."""
        text = self(text)
        cut = max((_overlap(text, each) for each in self._secrets), default=0)
        return f"{text[: len(text) - cut]}{REDACTED}" if cut >= _SHORTEST_PART else text

    def tail(self, text: str) -> str:
        """The same of a text that was cut at its beginning."""
        text = self(text)
        cut = max((_overlap(each, text) for each in self._secrets), default=0)
        return f"{REDACTED}{text[cut:]}" if cut >= _SHORTEST_PART else text


def without_secrets(value: Any, redact: Redactor) -> Any:  # noqa: ANN401 - JSON
    """JSON with `redact` applied to every text in it, but for the names of fields."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: without_secrets(each, redact) for key, each in value.items()}
    if isinstance(value, list):
        return [without_secrets(each, redact) for each in value]
    return value


def withheld_secrets(ours: Mapping[str, str], passed: Mapping[str, str]) -> list[str]:
    """Values of variables that children do not get, and that look like secrets.

    Args:
        ours: The environment of this process.
        passed: That of the children.
    """
    given = set(passed.values())
    return [
        value
        for name, value in ours.items()
        if name not in passed
        and name not in _NAMES_NO_SECRET
        and len(value) >= _SHORTEST_SECRET
        and value not in given
        and (_NAMES_A_SECRET.search(name) is not None or not _is_plain(value))
    ]


def _is_plain(value: str) -> bool:
    """A path or several, an address without a password, a word, a number: no secret."""
    if value.startswith(("/", "~", ".")) or value.isalpha():
        return True
    return "@" not in value and (_ADDRESS.match(value) or _NUMBERS.fullmatch(value)) is not None


def _overlap(before: str, after: str) -> int:
    """How many characters at the end of `before` are those at the beginning of `after`."""
    most = min(len(before), len(after))
    return next((n for n in range(most, _SHORTEST_PART - 1, -1) if before.endswith(after[:n])), 0)
