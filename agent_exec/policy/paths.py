"""Sets of paths, as policies name them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

# Compared without regard to case: a file system may have none.
_SECRET_NAMES = re.compile(
    r"\.env(\..*)?|\.envrc|.*\.pem|.*\.key|.*\.p12|.*\.pfx|.*\.jks|.*\.keystore|.*\.kdbx"
    r"|id_(rsa|dsa|ecdsa|ed25519)(_sk)?|\.netrc|_netrc|\.npmrc|\.pypirc|\.pgpass|\.my\.cnf"
    r"|\.htpasswd|\.git-credentials|\.dockercfg|\.vault-token|credentials(\.json|\.toml|\.db)?"
    r"|.*service[-_]account.*\.json|secrets?\.(ya?ml|json|toml)|shadow-?|gshadow-?",
    re.IGNORECASE,
)
# Published beside the real one, without its values.
_NO_SECRET = re.compile(r"\.env\.(example|sample|template|dist|defaults?)", re.IGNORECASE)
_SECRET_FOLDERS = re.compile(
    r"(?:^|/)(?:\.ssh|\.gnupg|\.aws|\.azure|\.gcloud|\.config/gcloud|\.kube|\.docker|\.password-store"
    r"|\.config/gh|\.config/op|\.local/share/keyrings|\.mozilla|\.config/google-chrome"
    r"|agent_exec/(?:approvals|audit))(?:/|$)",
    re.IGNORECASE,
)


def is_secret(real: str) -> bool:
    """Does a file of this name hold what nobody should read by the way?"""
    name = real.rpartition("/")[2]
    if _SECRET_NAMES.fullmatch(name):
        return _NO_SECRET.fullmatch(name) is None
    return _SECRET_FOLDERS.search(real) is not None


class PathSet(NamedTuple):
    """Everything beneath some directories, and perhaps secrets wherever they are."""

    roots: tuple[str, ...]
    """Absolute, without links, no slash at the end but for ``/`` itself."""
    secrets: bool
    words: tuple[str, ...]
    """As the policy has them, for messages."""

    def holds(self, real: str) -> bool:
        """Is a path (absolute, without links) in it?"""
        for root in self.roots:
            if real == root or real.startswith(f"{root.rstrip('/')}/"):
                return True
        return self.secrets and is_secret(real)


def make_path_set(words: Iterable[str], named: Mapping[str, tuple[str, ...]]) -> PathSet:
    """From the ``paths`` of a rule.

    Args:
        words: Names of `named`, ``secrets``, or absolute paths without links.
        named: What ``worktree``, ``system`` and the like are on this machine.
    """
    kept = tuple(words)
    roots: list[str] = []
    for word in kept:
        if word != "secrets":
            roots.extend(named.get(word, (word,)))
    return PathSet(tuple(roots), "secrets" in kept, kept)
