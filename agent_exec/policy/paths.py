"""Sets of paths, as policies name them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from agent_exec.regex import regex

_KEYS = "pem|key|p12|pfx|jks|keystore|kdbx|ppk|asc|gpg|ovpn|tfstate"
# Compared without regard to case: a file system may have none.
_SECRET_NAMES = regex(
    rf"\.env.*|.*\.env|.*\.({_KEYS})"
    r"|(id|ssh_host)_(rsa|dsa|ecdsa|ed25519)(_sk)?(_key)?|[._]netrc|\.npmrc|\.yarnrc\.yml|\.pypirc"
    r"|\.pgpass|\.my\.cnf|\.htpasswd|\.git-credentials|\.dockercfg|\.vault-token|\.boto|\.s3cfg"
    r"|\.?credentials(\.(json|toml|db|ya?ml|xml|csv|tfrc\.json))?|rclone\.conf|auth\.json"
    r"|.*service[-_]account.*\.json|secrets?\.(ya?ml|json|toml)|oauth_creds\.json|\.claude\.json"
    r"|g?shadow-?|sudoers|\.(bash|zsh|python|psql|mysql|node_repl)_history",
    re.IGNORECASE,
)
# Every name that the expression fits begins with one of these, or ends in one of those. It has
# to be asked of few names, and takes several times as long as to see that.
_BEGINS = (
    *(".", "_netrc", "id_", "ssh_host_", "credentials", "rclone.", "auth.", "secret"),
    *("shadow", "gshadow", "sudoers"),
)
_ENDINGS = frozenset({"env", "json", *_KEYS.split("|")})
# Published beside the real one, without its values.
_NO_SECRET = regex(
    r"(\.env[._-](example|sample|template|dist|defaults?|schema)|.*\.pub)", re.IGNORECASE
)
_FOLDERS = (
    *(".ssh", ".gnupg", ".aws", ".azure", ".gcloud", ".config/gcloud", ".kube", ".password-store"),
    *(".docker/config.json", ".config/gh", ".config/op", ".config/github-copilot"),
    *(".local/share/keyrings", ".mozilla", ".config/google-chrome", ".config/chromium"),
    *(".m2/settings.xml", ".gradle/gradle.properties", "run/secrets", "etc/ssl/private"),
    *("agent_exec/approvals", "agent_exec/audit", "agent_exec/secrets"),
)
_SECRET_FOLDERS = regex(
    rf"(?:^|/)(?:{'|'.join(map(re.escape, _FOLDERS))})(?:/|$)"
    r"|^/proc/[^/]+/(?:environ|mem|maps|cmdline|auxv|fd(?:/|$))",
    re.IGNORECASE,
)
# One of these is in every path that the expression finds, but for those of processes.
_LAST_OF_FOLDERS = frozenset(folder.rpartition("/")[2] for folder in _FOLDERS)


def is_secret(real: str) -> bool:
    """Does a file of this name hold what nobody should read by the way?"""
    return _may_be_secret(real) and _is_secret(real)


def _is_secret(real: str) -> bool:
    if _SECRET_FOLDERS.search(real) is not None:
        return True
    name = real.rpartition("/")[2]
    return _SECRET_NAMES.fullmatch(name) is not None and _NO_SECRET.fullmatch(name) is None


def _may_be_secret(real: str) -> bool:
    """Have the expressions to be asked?"""
    if not real.isascii() or "\n" in real:  # other letters fold, and a line may end
        return True
    lowered = real.lower()
    parts = lowered.split("/")
    name = parts[-1]
    return (
        name.startswith(_BEGINS)
        or name.rpartition(".")[2] in _ENDINGS
        or lowered.startswith("/proc/")
        or not _LAST_OF_FOLDERS.isdisjoint(parts)
    )


class Places:
    """Some directories, and everything beneath them. All absolute, without links."""

    __slots__ = ("_beneath", "_themselves")

    def __init__(self, folders: Iterable[str]) -> None:
        # Looked through from the first on: the worktree and the system are named before the rest.
        ordered = tuple(folders)
        self._themselves = frozenset(ordered)
        self._beneath = tuple(f"{folder.rstrip('/')}/" for folder in ordered)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Places) and self._themselves == other._themselves

    def __hash__(self) -> int:
        return hash(self._themselves)

    def hold(self, path: str) -> bool:
        """Is `path` beneath one of them, or one of these itself?"""
        return path.startswith(self._beneath) or path in self._themselves

    def some_beneath(self, path: str) -> bool:
        """Is one of them beneath `path`, or that itself?"""
        for folder in self._themselves:
            if is_beneath(folder, path):
                return True
        return False


class PathSet:
    """Everything beneath some directories, and perhaps secrets wherever they are.

    Args:
        roots: Absolute, without links, no slash at the end but for ``/`` itself.
        secrets: Are those in it?
        words: As the policy has them, for messages.
        above: These themselves are in it, and whatever holds one of them; not what lies beneath.
    """

    __slots__ = ("_above", "_folded", "_roots", "_said", "_secrets", "words")

    def __init__(
        self,
        roots: tuple[str, ...],
        secrets: bool,
        words: tuple[str, ...],
        above: tuple[str, ...] = (),
    ) -> None:
        self._said = (roots, secrets, words, above)
        self.words = words
        self._secrets = secrets
        self._roots = Places(roots)
        self._folded = Places(map(str.casefold, roots)) if roots else None
        self._above = Places(map(str.casefold, above)) if above else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PathSet) and self._said == other._said

    def __hash__(self) -> int:
        return hash(self._said)

    def holds(self, real: str) -> bool:
        """Is a path (absolute, without links) in it? To allow: the same letters."""
        return self._roots.hold(real) or self._holds_more(real)

    def touches(self, real: str, *, tree: bool) -> bool:
        """May a path be in it? To ask or deny: where a file system has no case, it has none.

        Args:
            real: Absolute, without links.
            tree: Does it stand for everything beneath it, too?
        """
        roots = self._folded
        if roots is not None:
            folded = real.casefold()
            if roots.hold(folded) or (tree and roots.some_beneath(folded)):
                return True
        return self._holds_more(real)

    def _holds_more(self, real: str) -> bool:
        if self._secrets and is_secret(real):
            return True
        return self._above is not None and self._above.some_beneath(real.casefold())


def normal(path: str) -> str:
    """`path` without dots and needless slashes, links left alone.

    Source:
        XBD 4.13, Pathname Resolution, leaves two slashes at the start to the system, and
        :func:`os.path.normpath` keeps them; for Linux they are one.
    """
    named = os.path.normpath(path)
    return named[1:] if named.startswith("//") else named


def is_beneath(path: str, folder: str) -> bool:
    """Is `path` in `folder`, or `folder` itself? Both absolute, without links."""
    return path == folder or path.startswith("/" if folder == "/" else f"{folder}/")


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
