"""Sets of paths, as policies name them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from agent_exec.named_tuple import NamedTuple

# Compared without regard to case: a file system may have none.
_SECRET_NAMES = re.compile(
    r"\.env.*|.*\.env|.*\.(pem|key|p12|pfx|jks|keystore|kdbx|ppk|asc|gpg|ovpn|tfstate)"
    r"|(id|ssh_host)_(rsa|dsa|ecdsa|ed25519)(_sk)?(_key)?|[._]netrc|\.npmrc|\.yarnrc\.yml|\.pypirc"
    r"|\.pgpass|\.my\.cnf|\.htpasswd|\.git-credentials|\.dockercfg|\.vault-token|\.boto|\.s3cfg"
    r"|\.?credentials(\.(json|toml|db|ya?ml|xml|csv|tfrc\.json))?|rclone\.conf|auth\.json"
    r"|.*service[-_]account.*\.json|secrets?\.(ya?ml|json|toml)|oauth_creds\.json|\.claude\.json"
    r"|g?shadow-?|sudoers|\.(bash|zsh|python|psql|mysql|node_repl)_history",
    re.IGNORECASE,
)
# Published beside the real one, without its values.
_NO_SECRET = re.compile(
    r"(\.env[._-](example|sample|template|dist|defaults?|schema)|.*\.pub)", re.IGNORECASE
)
_SECRET_FOLDERS = re.compile(
    r"(?:^|/)(?:\.ssh|\.gnupg|\.aws|\.azure|\.gcloud|\.config/gcloud|\.kube|\.password-store"
    r"|\.docker/config\.json|\.config/gh|\.config/op|\.config/github-copilot|\.local/share/keyrings"
    r"|\.mozilla|\.config/google-chrome|\.config/chromium|\.m2/settings\.xml"
    r"|\.gradle/gradle\.properties|(?:var/)?run/secrets|etc/ssl/private"
    r"|agent_exec/(?:approvals|audit|secrets))(?:/|$)"
    r"|^/proc/[^/]+/(?:environ|mem|maps|cmdline|auxv|fd(?:/|$))",
    re.IGNORECASE,
)


def is_secret(real: str) -> bool:
    """Does a file of this name hold what nobody should read by the way?"""
    name = real.rpartition("/")[2]
    if _SECRET_FOLDERS.search(real) is not None:
        return True
    return _SECRET_NAMES.fullmatch(name) is not None and _NO_SECRET.fullmatch(name) is None


class PathSet(NamedTuple):
    """Everything beneath some directories, and perhaps secrets wherever they are."""

    roots: tuple[str, ...]
    """Absolute, without links, no slash at the end but for ``/`` itself."""
    secrets: bool
    words: tuple[str, ...]
    """As the policy has them, for messages."""
    above: tuple[str, ...] = ()
    """These themselves, and whatever holds one of them; not what lies beneath."""

    def holds(self, real: str) -> bool:
        """Is a path (absolute, without links) in it? To allow: the same letters."""
        if is_beneath_any(real, self.roots):
            return True
        return (self.secrets and is_secret(real)) or (self.above != () and self._is_above(real))

    def touches(self, real: str, *, tree: bool) -> bool:
        """May a path be in it? To ask or deny: where a file system has no case, it has none.

        Args:
            real: Absolute, without links.
            tree: Does it stand for everything beneath it, too?
        """
        if self.roots:
            folded = real.casefold()
            for root in self.roots:
                other = root.casefold()
                if is_beneath(folded, other) or (tree and is_beneath(other, folded)):
                    return True
        return (self.secrets and is_secret(real)) or (self.above != () and self._is_above(real))

    def _is_above(self, real: str) -> bool:
        folded = real.casefold()
        return any(is_beneath(place.casefold(), folded) for place in self.above)


def is_beneath(path: str, folder: str) -> bool:
    """Is `path` in `folder`, or `folder` itself? Both absolute, without links."""
    return path == folder or path.startswith("/" if folder == "/" else f"{folder}/")


def is_beneath_any(path: str, folders: tuple[str, ...]) -> bool:
    """Is `path` in one of `folders`, or one of these itself?"""
    # Most are in none of them, which one comparison tells.
    return path.startswith(folders) and any(is_beneath(path, folder) for folder in folders)


def make_path_set(words: Iterable[str], named: Mapping[str, tuple[str, ...]]) -> PathSet:
    """From the ``paths`` of a rule.

    Args:
        words: Names of `named`, ``secrets``, ``above``, or absolute paths without links.
        named: What ``worktree``, ``system`` and the like are on this machine.
    """
    kept = tuple(words)
    roots: list[str] = []
    for word in kept:
        if word not in ("secrets", "above"):
            roots.extend(named.get(word, (word,)))
    above = (*named["worktree"], *named["home"]) if "above" in kept else ()
    return PathSet(tuple(dict.fromkeys(roots)), "secrets" in kept, kept, above)


def is_protected(real: str, names: Iterable[str], worktree: str) -> bool:
    """Would a file that is written there be run, or obeyed, by something else later?

    Args:
        real: Absolute, without links.
        names: As ``sandbox.protect`` has them: relative, of files or directories.
        worktree: Absolute, without links; the names count at any depth beneath it.
    """
    if not is_beneath(real, worktree):
        return False
    below = f"/{real[len(worktree) :].strip('/')}/".casefold()
    for name in names:
        folded = name.strip("/").casefold()
        if f"/{folded}/" in below:
            return True
        holders = folded.split("/")[:-1]
        if any(below.endswith(f"/{'/'.join(holders[:n])}/") for n in range(1, len(holders) + 1)):
            return True
    return False
