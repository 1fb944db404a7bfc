"""Words that name addresses and ports, as ss, lsof and arp have them.

Where a host stands there by its name, they ask a name server about it: whoever answers for
that name learns what was asked.
"""

from __future__ import annotations

import re

from agent_exec.model.effect import Effect, EffectKind
from agent_exec.policy.meaning import Meaning
from agent_exec.regex import regex

_BETWEEN = regex(r"[\s()!<>=&|]+")
_PORTS = "[A-Za-z0-9*,_-]+"
_NUMERIC = regex(
    rf"(?:[0-9.*]+(?:/[0-9.]+)?|\[[0-9A-Fa-f:.*]*\](?:/[0-9]+)?)?(?::{_PORTS})?"
    r"|[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:]*(?:/[0-9]+)?"
)
_PROTOCOL = regex(rf"[46]?(?:tcp|udp|udplite|sctp)?(?::{_PORTS})?", re.IGNORECASE)
_OF_FILTERS = frozenset(
    {
        *("state", "exclude", "all", "connected", "synchronized", "bucket", "big"),
        *("established", "syn-sent", "syn-recv", "fin-wait-1", "fin-wait-2", "time-wait"),
        *("closed", "close-wait", "last-ack", "listening", "listen", "closing"),
        *("src", "dst", "sport", "dport", "autobound", "and", "or", "not"),
        *("eq", "ne", "neq", "ge", "geq", "gt", "le", "leq", "lt"),
    }
)


def addresses(word: str, _because: str) -> Meaning:
    """What is asked of the network to know the addresses in `word`: nothing, or a name."""
    if all(map(_needs_nobody, _BETWEEN.split(word))):
        return Meaning()
    because = f"a name server is asked about {word}"
    return Meaning((Effect(EffectKind.NETWORK, because=because),))


def _needs_nobody(part: str) -> bool:
    protocol, at, address = part.partition("@")
    if at:
        return bool(_PROTOCOL.fullmatch(protocol) and _NUMERIC.fullmatch(address))
    return part in _OF_FILTERS or bool(_NUMERIC.fullmatch(part) or _PROTOCOL.fullmatch(part))
