"""Policy files from disk: read, checked, merged, built.

What is shipped was checked when the wheel was built; only somebody's own file needs pydantic,
which takes longer to import than a whole check should.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agent_exec.errors import PolicyError
from agent_exec.policy.build import build
from agent_exec.policy.load_tables import shipped
from agent_exec.policy.merge import merge
from agent_exec.policy.policy import Policy

SHIPPED = ("read-only", "default", "workspace", "strict", "open")
COMPILED = "policies.json"
"""The shipped policies in one file; made when the wheel is built."""
_MOST_BYTES = 4 * 1024 * 1024


def load_policy(name: str | os.PathLike[str], *, worktree: str) -> Policy:
    """A policy by a shipped name, or by its path.

    Args:
        name: One of `SHIPPED`; what has a slash or ends in .yaml is a path.
        worktree: Absolute, without links.

    Raises:
        PolicyError: There is none of that name; it cannot be read, or is wrong: the message
            says where, and what would be right.
    """
    text = os.fspath(name)
    return build(text, load_merged(text), worktree=worktree, environ=os.environ)


def load_merged(name: str) -> dict[str, Any]:
    """What `load_policy` builds from, for showing it. Raises as that."""
    return merge(_with_bases(name, os.getcwd(), ()))


def is_path(name: str) -> bool:
    """Is that the path of a policy, and no shipped name?"""
    return "/" in name or name.endswith((".yaml", ".yml"))


def _with_bases(
    name: str, folder: str, below: tuple[str, ...]
) -> list[tuple[str, Mapping[str, Any]]]:
    """The file `name`, after those that it extends. `below`: who extends it, outermost first."""
    if is_path(name):
        path = os.path.realpath(os.path.join(folder, os.path.expanduser(name)))
        identity, content, folder = path, _read(path), os.path.dirname(path)
    else:
        identity, content = name, _shipped(name)
    if identity in below:
        circle = " extends ".join((*below[below.index(identity) :], identity))
        raise PolicyError(f"{below[-1]}: extends goes in a circle: {circle}")
    files: list[tuple[str, Mapping[str, Any]]] = []
    for base in content.get("extends", []):
        for entry in _with_bases(base, folder, (*below, identity)):
            if entry[0] not in [known for known, _ in files]:
                files.append(entry)
    return [*files, (identity, content)]


def _shipped(name: str) -> Mapping[str, Any]:
    if name not in SHIPPED:
        raise PolicyError(
            f"there is no policy {name!r}; shipped are {', '.join(SHIPPED)}, "
            f"and a file of your own is named by its path: ./{name}.yaml"
        )
    folder = shipped()
    compiled = folder / COMPILED
    if compiled.is_file():
        policies: dict[str, Mapping[str, Any]] = json.loads(compiled.read_bytes())
        return policies[name]
    return _read(str(folder / f"{name}.yaml"))


def _read(path: str) -> Mapping[str, Any]:
    # The reader of files needs pydantic and YAML.
    from agent_exec.policy.read_file import read_policy  # noqa: PLC0415

    try:
        with Path(path).open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror}") from None
    if len(text) > _MOST_BYTES:
        raise PolicyError(f"{path}: larger than {_MOST_BYTES} bytes; that is no policy")
    return read_policy(text, path)
