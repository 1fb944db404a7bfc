"""``sandbox:`` of a policy file -> what it is for one worktree and one user of this machine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from agent_exec.policy.paths import Places, is_beneath
from agent_exec.policy.policy import SandboxSettings

# Of the toolchains in a home directory, what holds no credentials and none of our state.
_TOOLCHAINS = (
    *("~/.cargo/bin", "~/.cargo/env", "~/.cargo/registry", "~/.cargo/git", "~/.cargo/config.toml"),
    *("~/.cargo/config", "~/.cargo/.package-cache", "~/.cargo/.package-cache-mutate"),
    *("~/.cargo/.global-cache", "~/.rustup", "~/.pyenv", "~/.nvm", "~/.rbenv", "~/.sdkman"),
    *("~/.volta", "~/.bun", "~/.deno", "~/.local/bin", "~/.local/lib", "~/.local/pipx"),
    *("~/.local/share/pipx", "~/.local/share/uv", "~/.local/share/virtualenvs"),
    *("~/.local/share/pnpm", "~/.local/share/mise", "~/.local/share/fnm", "~/go/bin", "~/go/pkg"),
    *("~/.gradle/wrapper", "~/.m2/repository", "~/.gem", "~/.terminfo"),
)
_CACHES = (
    *("~/.cache/pip", "~/.cache/uv", "~/.cache/go-build", "~/.cache/pypoetry", "~/.cache/ccache"),
    *("~/.cache/yarn", "~/.cache/pre-commit", "~/.cache/node", "~/.cache/node-gyp"),
    *("~/.cache/pnpm", "~/.cache/pipenv", "~/.cache/bazel", "~/.cache/ms-playwright"),
    *("~/.cargo/registry", "~/.cargo/git", "~/.cargo/.package-cache"),
    *("~/.cargo/.package-cache-mutate", "~/.cargo/.global-cache", "~/.npm", "~/go/pkg"),
    *("~/.gradle/caches", "~/.m2/repository", "~/.local/share/pnpm/store"),
)
_GIT_AT_HOME = (
    *("~/.gitconfig", "~/.config/git/config", "~/.config/git/ignore"),
    *("~/.config/git/attributes", "~/.gitignore", "~/.gitignore_global"),
)
_MOST_BYTES = 4096


def build_sandbox(
    merged: Mapping[str, Any], named: Mapping[str, tuple[str, ...]], *, worktree: str, said: str
) -> SandboxSettings:
    """The settings of `merged`.

    Args:
        merged: ``sandbox:``, with nothing missing.
        named: What ``worktree``, ``system`` and the like are on this machine.
        worktree: Absolute, without links.
        said: Where ``network`` stands.
    """
    repository = git_folders(worktree)
    places = {
        **named,
        "worktree": (worktree, *repository),
        "toolchains": _at_home((*_TOOLCHAINS, *_CACHES)),
    }
    write = [word for word in merged["write"] if word != "tmp"]
    read = _roots(merged["read"], places)
    network = merged["network"] == "allow"
    everywhere = "/" in read and "/" in _roots(write, places)
    return SandboxSettings(
        read=read,
        readable=Places(read),
        write=_roots(write, places),
        tmp="tmp" in merged["write"],
        network=network,
        network_said=said,
        require=frozenset(merged["require"]),
        worktree=(worktree, *repository),
        git=(*_at_home(_GIT_AT_HOME), *_around(worktree)),
        caches=_at_home(_CACHES),
        nothing_withheld=everywhere and network,
    )


def git_folders(worktree: str) -> tuple[str, ...]:
    """Of a linked worktree, the directory of its repository. Empty for any other.

    A repository can name any directory; that one has to name the worktree, too, which nobody
    can make it who may only write in the worktree.

    Source:
        gitrepository-layout(5): gitdir, commondir.
    """
    link = os.path.join(worktree, ".git")
    text = _text(link)
    if text is None or not text.startswith("gitdir: "):
        return ()
    own = os.path.realpath(os.path.join(worktree, text.removeprefix("gitdir: ").strip()))
    back = _text(os.path.join(own, "gitdir"))
    if back is None or os.path.realpath(back.strip()) != os.path.realpath(link):
        return ()
    common = _text(os.path.join(own, "commondir"))
    if common is None:
        return (own,)
    above = os.path.realpath(os.path.join(own, common.strip()))
    return (above,) if is_beneath(own, above) else (own,)


def _around(worktree: str) -> tuple[str, ...]:
    """The repository that a worktree is only a part of: git reads all of it."""
    home = os.path.realpath(os.path.expanduser("~"))
    if os.path.lexists(os.path.join(worktree, ".git")):
        return ()
    above = os.path.dirname(worktree)
    while above != "/" and not is_beneath(home, above):
        if os.path.isdir(os.path.join(above, ".git")):
            return (above,)
        above = os.path.dirname(above)
    return ()


def _text(path: str) -> str | None:
    """The beginning of a small file; None where there is none."""
    try:
        if not os.path.isfile(path):
            return None
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read(_MOST_BYTES)
    except OSError:
        return None


def _roots(words: Iterable[str], named: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    found: list[str] = []
    for word in words:
        found += named.get(word) or (os.path.realpath(os.path.expanduser(word)),)
    first = tuple(dict.fromkeys(found))
    below = tuple(["/" if each == "/" else f"{each}/" for each in first])
    return tuple([each for each in first if each == "/" or not each.startswith(below)])


def _at_home(paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(os.path.realpath(os.path.expanduser(path)) for path in paths))
